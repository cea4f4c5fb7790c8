"""Sample data that comes with Plait: Online Retail (CC BY 4.0, see ATTRIBUTION.md)."""

from __future__ import annotations

from importlib.resources import as_file, files

import polars as pl

from plait.errors import NotFoundError

__all__ = ["NAMES", "load"]

NAMES = ("online-retail",)
"""The names of the samples."""

_FRAMES = ("events", "items", "users")


def load(name: str) -> dict[str, pl.DataFrame]:
    """Load a sample.

    Args:
        name: One of `NAMES`.

    Returns:
        The frames `events`, `items` and `users`, as `Workspace.ingest` takes them.

    Raises:
        NotFoundError: If there is no such sample.
    """
    if name not in NAMES:
        raise NotFoundError(f"no sample {name!r}", hint=f"there are {', '.join(NAMES)}")
    with as_file(files("plait.datasets") / "online_retail") as folder:
        return {kind: pl.read_parquet(folder / f"{kind}.parquet") for kind in _FRAMES}
