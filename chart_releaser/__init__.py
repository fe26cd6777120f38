"""One YAML file in, one trustworthy Helm repository out."""

__version__ = "0.1.0"
