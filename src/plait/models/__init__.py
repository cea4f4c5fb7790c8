"""The strands that learn from behaviour or content; a stage is the module of its name."""

__all__: list[str] = []
