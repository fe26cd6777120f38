"""What Helm takes things for: YAML, archives, ignore rules, version ranges, Chart.yaml."""
