"""One ranking from several fitted models."""

__all__: list[str] = []
