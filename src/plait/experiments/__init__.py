"""Experiments in Python: data sets from frames, single models, metrics of any lists."""

__all__: list[str] = []
