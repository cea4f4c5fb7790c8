"""Models over the graph of users, items and features."""

__all__: list[str] = []
