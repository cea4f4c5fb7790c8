"""Frames of pairs and lists: read from data sets and frames, written from candidate lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from plait.data import dataset as arrays
from plait.data.candidates import CandidateLists
from plait.data.catalogue import Catalogue
from plait.data.ragged import Ragged
from plait.experiments.data.dataset import Dataset
from plait.ingest.list_frames import is_frame, read_ids

__all__ = ["is_several", "list_frame", "listed_items", "read_pairs"]

_ROW = {"user": pl.String, "row": pl.Int64}


def read_pairs(source: Any, name: str) -> pl.DataFrame:
    """Read pairs of a user and an item.

    Args:
        source: A data set; a polars, pandas or pyarrow frame, a dictionary of columns, or
            dictionaries, each a row, with users and items under their usual names; (user, item)
            tuples; or a mapping of user to items. Or a list of several of these: their union.
        name: What messages call the source.

    Returns:
        The distinct pairs: user and item as strings.

    Raises:
        InputError: If there are no such columns, or a value is no id.
    """
    if is_several(source):
        parts = [read_pairs(part, name) for part in source]
        return pl.concat(parts).unique(maintain_order=True)
    if isinstance(source, arrays.Dataset):
        frame = Dataset.from_snapshot(source).to_frame()
        return frame.select("user", "item").unique(maintain_order=True)
    return read_ids(source, name).unique(maintain_order=True)


def is_several(source: Any) -> bool:
    """Return whether a source is a list of data sets, tables or names, not one of pairs or rows.

    Args:
        source: Any source of interactions.
    """
    if not isinstance(source, list | tuple) or not source:
        return False
    return isinstance(source[0], str | arrays.Dataset) or is_frame(source[0])


def listed_items(pairs: pl.DataFrame, users: Sequence[str], catalogue: Catalogue) -> Ragged:
    """Look up the items that users have in pairs.

    Args:
        pairs: Distinct pairs with the columns user and item.
        users: The ids of B users.
        catalogue: The items by number; others are left out.

    Returns:
        B rows of item numbers.
    """
    rows = pl.DataFrame({"user": list(users), "row": range(len(users))}, schema_overrides=_ROW)
    listed = rows.join(pairs, on="user", how="inner").sort("row", maintain_order=True)
    numbers = catalogue.numbers(listed["item"].to_list())
    owners = listed["row"].to_numpy()[numbers >= 0]
    counts = np.bincount(owners, minlength=len(users)).astype(np.int64)
    return Ragged.from_lengths(numbers[numbers >= 0], counts)


def list_frame(
    owners: list[str], parts: list[CandidateLists], item_ids: Sequence[str]
) -> pl.DataFrame:
    """Write candidate lists as rows.

    Args:
        owners: The users of B lists.
        parts: Batches of the lists with the column score, B rows in all.
        item_ids: The ids of items by number.

    Returns:
        The columns user, item, rank (from 1) and score; padding and items without a score are left
        out.
    """
    rows, items, ranks, scores = [], [], [], []
    start = 0
    for part in parts:
        score = part.column("score")
        present = (part.item_numbers >= 0) & ~np.isnan(score)
        row, _ = np.nonzero(present)
        rows.append(row + start)
        items.append(part.item_numbers[present])
        ranks.append((np.cumsum(present, axis=1))[present])
        scores.append(score[present])
        start += len(part.item_numbers)
    users = pl.Series(owners, dtype=pl.String)
    catalogue = pl.Series(list(item_ids), dtype=pl.String)
    return pl.DataFrame(
        {
            "user": users.gather(_joined(rows, np.int64)),
            "item": catalogue.gather(_joined(items, np.int32)),
            "rank": _joined(ranks, np.int64).astype(np.int32),
            "score": _joined(scores, np.float32),
        }
    )


def _joined(parts: list[Any], dtype: Any) -> Any:
    return np.concatenate(parts) if parts else np.zeros(0, dtype)
