"""Ids for events that came without: from the source, the time, the content and its repetition."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import polars as pl

__all__ = ["EventIdFactory", "RepeatCounter", "content_of", "source_name"]

_Hashes = npt.NDArray[np.uint64]
_SUFFIX = re.compile(
    r"\.(gz|zst|zstd|csv|tsv|txt|dat|json|jsonl|ndjson|parquet|pq|data)$", re.IGNORECASE
)
_SHIFT = 1 << 33
"""Makes the seconds of the years from 1700 on positive: they sort as text."""


def source_name(name: str) -> str:
    """A file's name without folder and suffixes, as ids begin with it: at most 64 characters."""
    base = re.split(r"[/\\]", name)[-1]
    while (shorter := _SUFFIX.sub("", base)) not in (base, ""):
        base = shorter
    base = "" if _SUFFIX.fullmatch(base) else base
    return re.sub(r"[^\w.-]+", "_", base)[:64] or "rows"


def content_of(columns: Sequence[pl.Series]) -> list[str]:
    """All that a row says as one string [N], the same for the same row on any machine."""
    texts = [
        one.fill_null("\x1e")
        if one.dtype == pl.String
        else (one.reinterpret(signed=True) if one.dtype == pl.Float64 else one)
        .cast(pl.String)
        .fill_null("\x1e")
        for one in columns
    ]
    return pl.select(pl.concat_str(texts, separator="\x1f")).to_series().to_list()


class RepeatCounter:
    """How often each 64-bit hash came before; 8 bytes a hash.

    Kept as sorted runs whose lengths at least double, merged as they grow.
    """

    def __init__(self) -> None:
        self._runs: list[_Hashes] = []

    def count(self, hashes: _Hashes) -> npt.NDArray[np.int64]:
        """For each of `hashes` [N] how often it came before it, in earlier calls or in this."""
        order = np.argsort(hashes, kind="stable")
        ranked = hashes[order]
        before = np.zeros(len(hashes), np.int64)
        before[order] = np.arange(len(hashes)) - np.searchsorted(ranked, ranked, "left")
        for run in self._runs:
            found = np.searchsorted(run, ranked, "right") - np.searchsorted(run, ranked, "left")
            before[order] += found
        self._add(ranked)
        return before

    def _add(self, run: _Hashes) -> None:
        while self._runs and len(self._runs[-1]) <= 2 * len(run):
            run = np.concatenate([self._runs.pop(), run])
            run.sort(kind="stable")
        self._runs.append(run)


class EventIdFactory:
    """Gives ids to the events of one source.

    `<source>:<seconds, 9 hex digits>-<hash of the content, 16>[-<n>]`: times first, so that an
    index of ids grows at its end; the n-th row (from 2) of the same content has its number, so that
    each counts once however often the source is read. `key` makes the hashes unguessable where they
    must not tell who a user is.
    """

    def __init__(self, source: str, key: bytes = b"") -> None:
        self._source = source
        self._key = key
        self._repeats = RepeatCounter()

    def ids(
        self, content: Sequence[str], times: pl.Series | None, *, repeat: bool = True
    ) -> list[str]:
        """An id for each content [N]; `times` are microseconds, Int64 [N].

        Without `repeat` rows of the same content have the same id.
        """
        key = self._key
        digests = b"".join(
            [blake2b(one.encode(), digest_size=8, key=key).digest() for one in content]
        )
        digits = digests.hex()
        hexes = [digits[at : at + 16] for at in range(0, len(digits), 16)]
        ids = self._located(hexes, times)
        if repeat:
            before = self._repeats.count(np.frombuffer(digests, np.uint64))
            for at in np.flatnonzero(before).tolist():
                ids[at] = f"{ids[at]}-{before[at] + 1}"
        return ids

    def _located(self, hexes: Sequence[str], times: pl.Series | None) -> list[str]:
        source = self._source
        if times is None or times.null_count() == len(times):
            return [f"{source}:{one}" for one in hexes]
        seconds = (times // 1_000_000 + _SHIFT).to_list()
        return [
            f"{source}:{one}" if at is None else f"{source}:{at:09x}-{one}"
            for at, one in zip(seconds, hexes, strict=True)
        ]
