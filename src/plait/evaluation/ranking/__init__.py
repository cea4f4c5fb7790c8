"""Protocols that rank items: folds, inference, per-user metrics, aggregation."""

__all__: list[str] = []
