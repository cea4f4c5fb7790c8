"""Protocols that predict values: ratings and clicks."""

__all__: list[str] = []
