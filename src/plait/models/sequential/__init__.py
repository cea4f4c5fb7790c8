"""The stage `sequence` and its torch modules, which are imported at the first fit or query."""

__all__: list[str] = []
