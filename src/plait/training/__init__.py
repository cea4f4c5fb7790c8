"""How things are trained: recipes with their fusion, later models by gradient."""

__all__: list[str] = []
