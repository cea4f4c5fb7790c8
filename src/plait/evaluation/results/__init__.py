"""Stored results: reports, comparisons, warnings about the data."""

__all__: list[str] = []
