"""Search for settings on validation data."""

__all__: list[str] = []
