"""The story of each command, told once, in order."""
