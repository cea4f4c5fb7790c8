"""Data that comes with Plait: Online Retail (CC BY 4.0, see ATTRIBUTION.md)."""

from __future__ import annotations

from importlib.resources import as_file, files

import polars as pl

from plait.errors import NotFoundError

__all__ = ["NAMES", "load"]

NAMES = ("online-retail",)
"""The samples there are."""


def load(name: str) -> dict[str, pl.DataFrame]:
    """The frames `events`, `items` and `users` of a sample, as `Shop.ingest` takes them.

    Raises NotFoundError for a name that is none of `NAMES`.
    """
    if name not in NAMES:
        raise NotFoundError(f"no sample {name!r}", hint=f"there are {', '.join(NAMES)}")
    return {kind: _frame(kind) for kind in ("events", "items", "users")}


def _frame(kind: str) -> pl.DataFrame:
    with as_file(files("plait.datasets") / "online_retail" / f"{kind}.parquet") as path:
        return pl.read_parquet(path)
