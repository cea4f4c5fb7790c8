"""Content to vectors: frozen encoders of text, cached by content."""

__all__: list[str] = []
