"""Charts as values: loaded, assembled, checked, packaged."""
