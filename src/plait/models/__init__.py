"""Models that learn from behaviour or content, by family."""

__all__: list[str] = []
