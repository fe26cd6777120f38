"""The configuration: YAML text to validated models, and back to edited text."""
