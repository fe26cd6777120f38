"""Helpers of the development environment; no part of the installed package."""
