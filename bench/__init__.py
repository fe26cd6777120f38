"""What chart-releaser costs, in requests, bytes, seconds and memory: `python -m bench`. Method: docs/performance.md."""
