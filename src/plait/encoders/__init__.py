"""Content to vectors: frozen encoders of text and one's own vectors, cached by content."""
