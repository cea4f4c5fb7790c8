"""Models over pairs of items."""

__all__: list[str] = []
