"""The index of a Helm repository: read, merged, written."""
