"""Benchmarks of requests, bytes, time and memory: `python -m bench`. docs/performance.md describes the method."""
