"""Helm's own rules, reimplemented: YAML, archives, ignore rules, version ranges, Chart.yaml."""
