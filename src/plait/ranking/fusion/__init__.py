"""One score from the scores of all models."""

__all__: list[str] = []
