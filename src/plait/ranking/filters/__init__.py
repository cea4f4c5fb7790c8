"""Filter expressions: parsed, then evaluated on columns."""

__all__: list[str] = []
