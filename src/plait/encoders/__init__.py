"""Content to vectors: frozen encoders of text and pictures, cached by content."""

__all__: list[str] = []
