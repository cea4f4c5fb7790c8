"""Why an item is in an answer."""

__all__: list[str] = []
