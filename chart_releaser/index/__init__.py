"""index.yaml: read, merged, written."""
