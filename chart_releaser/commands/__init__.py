"""The commands, each told step by step in a module of its own."""
