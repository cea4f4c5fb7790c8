"""Derives ids of events without one from source, time, content and repetition."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b
from itertools import repeat

import numpy as np
import polars as pl

from plait.data.array_types import Int64Array, UInt64Array

__all__ = ["EventIdFactory", "RepeatCounter", "content_of", "source_name"]

_SUFFIX = re.compile(
    r"\.(gz|zst|zstd|csv|tsv|txt|dat|json|jsonl|ndjson|parquet|pq|data)$", re.IGNORECASE
)
_SHIFT = 1 << 33
"""Makes the seconds of the years from 1700 on positive: they sort as text."""


def source_name(name: str) -> str:
    """Reduce the name of a file to what derived ids begin with.

    Args:
        name: The name, perhaps with folders.

    Returns:
        The name without folders and suffixes, at most 64 characters.
    """
    base = re.split(r"[/\\]", name)[-1]
    while (shorter := _SUFFIX.sub("", base)) not in (base, ""):
        base = shorter
    base = "" if _SUFFIX.fullmatch(base) else base
    return re.sub(r"[^\w.-]+", "_", base)[:64] or "rows"


def content_of(columns: Sequence[pl.Series]) -> list[str]:
    """Join the columns of each row to one text, the same for the same row on any machine.

    Args:
        columns: Series of N values, or of one value for all rows.

    Returns:
        The texts [N].
    """
    texts = [
        (column.reinterpret(signed=True) if column.dtype == pl.Float64 else column)
        .cast(pl.String)
        .fill_null("\x1e")
        for column in columns
    ]
    return pl.select(pl.concat_str(texts, separator="\x1f")).to_series().to_list()


class RepeatCounter:
    """Counts how often each 64-bit hash came before, in 8 bytes a hash.

    The hashes are kept as sorted runs whose lengths at least double, merged as they grow.
    """

    def __init__(self) -> None:
        self._runs: list[UInt64Array] = []

    def count(self, hashes: UInt64Array) -> Int64Array:
        """Count how often each hash came before, in earlier calls or in this one.

        Args:
            hashes: Uint64 [N].

        Returns:
            Int64 [N].
        """
        order = np.argsort(hashes, kind="stable")
        ranked = hashes[order]
        before = np.zeros(len(hashes), np.int64)
        before[order] = np.arange(len(hashes)) - np.searchsorted(ranked, ranked, "left")
        for run in self._runs:
            first = np.searchsorted(run, ranked, "left")
            before[order] += np.searchsorted(run, ranked, "right") - first
        self._add(ranked)
        return before

    def _add(self, run: UInt64Array) -> None:
        while self._runs and len(self._runs[-1]) <= 2 * len(run):
            run = np.concatenate([self._runs.pop(), run])
            run.sort(kind="stable")
        self._runs.append(run)


class EventIdFactory:
    """Gives ids to the events of one source.

    An id is `<source>:<seconds, 9 hex digits>-<hash of the content, 16>[-<n>]`. The time comes
    first, so that an index of ids grows at its end; the n-th row (from 2) of the same content has
    its number, so that each counts once however often the source is read.

    Args:
        source: What the ids begin with.
        key: Makes the hashes unguessable where they must not reveal who a user is.
    """

    def __init__(self, source: str, key: bytes = b"") -> None:
        self._source = source
        self._key = key
        self._repeats = RepeatCounter()

    def ids(
        self, content: Sequence[str], times: pl.Series | None, *, is_repeatable: bool = True
    ) -> list[str]:
        """Derive an id for each of N events.

        Args:
            content: What each event states, see `content_of`.
            times: Microseconds since 1970 UTC, Int64 [N]; None if the source has no times.
            is_repeatable: Whether rows of the same content are different events.

        Returns:
            The ids [N].
        """
        key = self._key
        digests = b"".join(
            [blake2b(text.encode(), digest_size=8, key=key).digest() for text in content]
        )
        digits = digests.hex()
        hashes = [digits[start : start + 16] for start in range(0, len(digits), 16)]
        seconds = repeat(None) if times is None else (times // 1_000_000 + _SHIFT).to_list()
        ids = [
            f"{self._source}:{digest}"
            if second is None
            else f"{self._source}:{second:09x}-{digest}"
            for second, digest in zip(seconds, hashes, strict=False)
        ]
        if is_repeatable:
            before = self._repeats.count(np.frombuffer(digests, np.uint64))
            for index in np.flatnonzero(before).tolist():
                ids[index] = f"{ids[index]}-{before[index] + 1}"
        return ids
