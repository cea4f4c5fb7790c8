"""Evaluation of search by judgements: how relevant a person finds an item for a query."""

__all__: list[str] = []
