"""Finds candidates by words; a stage is the module of its name."""

__all__: list[str] = []
