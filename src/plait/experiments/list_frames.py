"""Reads pairs of users and items from data sets and frames."""

from __future__ import annotations

from typing import Any

import polars as pl

from plait.data import dataset as arrays
from plait.experiments.dataset import Dataset
from plait.ingest.list_frames import read_ids

__all__ = ["read_pairs"]


def read_pairs(source: Any, name: str) -> pl.DataFrame:
    """Read pairs of a user and an item.

    Args:
        source: A data set; a polars, pandas or pyarrow frame, or a dictionary of columns, with a
            column of users and one of items under their usual names; or (user, item) tuples.
        name: What messages call the source.

    Returns:
        The distinct pairs: user and item as strings.

    Raises:
        InputError: If there are no such columns, or a value is no id.
    """
    if isinstance(source, arrays.Dataset):
        frame = Dataset.from_snapshot(source).to_frame()
        return frame.select("user", "item").unique(maintain_order=True)
    return read_ids(source, name).unique(maintain_order=True)
