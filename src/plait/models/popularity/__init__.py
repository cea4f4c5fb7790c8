"""Popular items."""

__all__: list[str] = []
