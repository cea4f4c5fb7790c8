"""Evaluation of recipes: protocols, ranking and pointwise metrics, stored results, tuning."""

__all__: list[str] = []
