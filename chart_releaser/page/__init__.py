"""The index.html that shows a repository to people."""
