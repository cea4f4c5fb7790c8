"""Data sets for experiments: read from files and frames, split, described, written."""

__all__: list[str] = []
