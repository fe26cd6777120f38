"""Tests of chart-releaser."""
