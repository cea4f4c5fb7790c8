"""Metrics, splits and intervals: numpy only, because training, fusion and evaluation need them."""

__all__: list[str] = []
