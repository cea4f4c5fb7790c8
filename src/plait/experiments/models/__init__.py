"""Models for experiments: their classes, their fits, what a fitted model can do, their files."""

__all__: list[str] = []
