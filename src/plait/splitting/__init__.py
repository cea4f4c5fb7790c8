"""Splits of a data set into training and test, and what is asked of a split."""

__all__: list[str] = []
