"""index.html for people."""
