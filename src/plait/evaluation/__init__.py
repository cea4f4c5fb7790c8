"""Protocols, the road from recipes to a table, and what keeps the table honest."""

__all__: list[str] = []
