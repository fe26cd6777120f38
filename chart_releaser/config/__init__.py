"""The configuration: YAML text parsed to validated models, and edited in place."""
