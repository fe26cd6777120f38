"""A chart as a value: read, assembled, checked, packaged."""
