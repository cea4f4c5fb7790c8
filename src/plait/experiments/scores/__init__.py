"""Metrics of any lists: the users measured, the definitions, the table."""

__all__: list[str] = []
