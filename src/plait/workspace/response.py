"""What comes back: the answer, and the impression that remembers how it came about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from plait.data.catalogue import Catalogue
from plait.data.types import CandidateLists, Query

if TYPE_CHECKING:
    import polars as pl

__all__ = ["RankedItem", "Response", "asked", "impression", "listed", "places_of", "unknown"]


LISTED = 10
"""How many items the `repr` of an answer names."""


@dataclass(frozen=True, slots=True, repr=False)
class RankedItem:
    """One item of an answer. `score` is None where nothing is known of the item.

    `reasons` are objects, the strongest first: `model` that brought the item, its `rank` there,
    `because` (the id of the item that it rests on), `fact` and `text`, a sentence.
    """

    id: str
    score: float | None
    reasons: list[dict[str, Any]] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"{self.id!r} {self.score:.4g}" if self.score is not None else f"{self.id!r} unknown"

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"id": self.id, "score": self.score, "reasons": self.reasons}


@dataclass(frozen=True, slots=True, repr=False)
class Response:
    """One answer: what is shown, best first, and what it was made of.

    `version` is the offset of the last event it knows of; `degraded` says what was not as it should
    be ("stale": the state was behind `at_least`).
    """

    request_id: str
    bundle: str
    version: int
    worker: str
    items: list[RankedItem] = field(default_factory=list)
    degraded: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        """The ids and scores of the first ten; `to_dict` and `to_frame` have the rest."""
        named = [repr(one) for one in self.items[:LISTED]]
        if len(self.items) > LISTED:
            named.append(f"{len(self.items) - LISTED} more")
        degraded = f" degraded={self.degraded}" if self.degraded else ""
        return f"<Answer {self.request_id[:8]}: {', '.join(named) or 'no items'}{degraded}>"

    @property
    def ids(self) -> list[str]:
        """The outside ids alone, best first."""
        return [one.id for one in self.items]

    def to_dict(self) -> dict[str, Any]:
        """The shape that HTTP and the command line give out."""
        return {
            "request_id": self.request_id,
            "bundle": self.bundle,
            "version": self.version,
            "worker": self.worker,
            "items": [one.to_dict() for one in self.items],
            "degraded": self.degraded,
        }

    def to_frame(self) -> pl.DataFrame:
        """A polars DataFrame: `rank` from 1, `id`, `score`, and `reason`, the text of the first."""
        import polars as pl

        columns = {
            "rank": list(range(1, len(self.items) + 1)),
            "id": self.ids,
            "score": [one.score for one in self.items],
            "reason": [one.reasons[0].get("text") if one.reasons else None for one in self.items],
        }
        kinds = {"rank": pl.Int64, "id": pl.String, "score": pl.Float64, "reason": pl.String}
        return pl.DataFrame(columns, schema=kinds)


def places_of(items: CandidateLists, row: int, k: int) -> np.ndarray:
    """The columns of query `row` that are in its answer, best first, int64 [at most k]."""
    order = items.column("order")[row]
    places = np.flatnonzero((order >= 0) & (order < k))
    return places[np.argsort(order[places], kind="stable")]


def listed(
    items: CandidateLists, row: int, places: np.ndarray, catalogue: Catalogue
) -> list[RankedItem]:
    """The answer's items; `places` as `places_of` gives them."""
    ids = [catalogue.ids[number] for number in items.item_numbers[row, places].tolist()]
    scores = _floats(items, "score", row, places)
    columns = items.columns
    reasons = columns["reasons"][row, places].tolist() if "reasons" in columns else [[]] * len(ids)
    return [
        RankedItem(outside, score, list(why or ()))
        for outside, score, why in zip(ids, scores, reasons, strict=True)
    ]


def unknown(ids: Iterable[str]) -> list[RankedItem]:
    """Items of the caller's list that the log has never heard of: last, without a score."""
    nothing = dict.fromkeys(("model", "rank", "because", "fact"))
    return [RankedItem(one, None, [{**nothing, "text": "unknown item"}]) for one in ids]


def impression(
    query: Query, items: CandidateLists, row: int, places: np.ndarray, answer: Response
) -> dict[str, Any]:
    """What is remembered of an answer: the question, every item with each strand's rank and score,
    its propensity, how many candidates there were and what removed the others.

    The user is left out: impressions name users by number, so that erasing one finds them.
    """
    chances = _floats(items, "propensity", row, places)
    strands = _strands(items, row, places)
    remembered = [
        {
            **one.to_dict(),
            "propensity": 1.0 if chances[place] is None else chances[place],
            "strands": {
                name: {"rank": ranks[place], "score": scores[place]}
                for name, ranks, scores in strands
                if scores[place] is not None
            },
        }
        for place, one in enumerate(answer.items[: len(places)])
    ]
    return {
        "query": asked(query),
        "items": remembered + [one.to_dict() for one in answer.items[len(places) :]],
        "candidates": int((items.item_numbers[row] >= 0).sum()),
        "removed": _removed(items, row),
        "degraded": answer.degraded,
        "worker": answer.worker,
    }


_DEFAULTS = {one.name: getattr(Query(), one.name) for one in fields(Query) if one.name != "user"}


def asked(query: Query) -> dict[str, Any]:
    """The parts of a question that were set, but for the user."""
    found = ((name, getattr(query, name)) for name in _DEFAULTS)
    return {name: value for name, value in found if value != _DEFAULTS[name]}


def _strands(
    items: CandidateLists, row: int, places: np.ndarray
) -> list[tuple[str, list[int | None], list[float | None]]]:
    """By strand: the rank from 1 where it brought the item, and the score where it knows it."""
    names = (name for name in items.columns if name.endswith(".score"))
    return [
        (
            name.removesuffix(".score"),
            _ranks(items, f"{name.removesuffix('.score')}.rank", row, places),
            _floats(items, name, row, places),
        )
        for name in names
    ]


def _floats(items: CandidateLists, name: str, row: int, places: np.ndarray) -> list[float | None]:
    """A column's values as Python floats; None for NaN and infinity, which JSON cannot say."""
    if name not in items.columns:
        return [None] * len(places)
    values = items.columns[name][row, places]
    finite = np.isfinite(values)
    if finite.all():
        plain: list[float | None] = values.tolist()
        return plain
    pairs = zip(values.tolist(), finite.tolist(), strict=True)
    return [one if ok else None for one, ok in pairs]


def _ranks(items: CandidateLists, name: str, row: int, places: np.ndarray) -> list[int | None]:
    if name not in items.columns:
        return [None] * len(places)
    return [one + 1 if one >= 0 else None for one in items.columns[name][row, places].tolist()]


def _removed(items: CandidateLists, row: int) -> dict[str, int]:
    """How many candidates each rule took out."""
    if "removed_by" not in items.columns or not items.removal_reasons:
        return {}
    by = items.columns["removed_by"][row]
    counts = np.bincount(by[by >= 0], minlength=len(items.removal_reasons)).tolist()
    return {name: count for name, count in zip(items.removal_reasons, counts, strict=True) if count}
