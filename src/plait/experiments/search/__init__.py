"""Searches for settings, and the log of their trials."""

__all__: list[str] = []
