"""The response to a query, and the impression that remembers how it came about."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import orjson

from plait.data.catalogue import Catalogue
from plait.data.types import CandidateLists, Query
from plait.pipeline.reason_templates import LANGUAGES
from plait.ranking.explanation.sentences import sentence

if TYPE_CHECKING:
    import polars as pl

__all__ = ["RankedItem", "Response", "impression_payload", "items_json", "ranked_items", "to_json"]

N_REPR = 10
"""How many items the `repr` of a response names."""

_UNKNOWN: Mapping[str, Any] = {
    "model": None,
    "rank": None,
    "because": None,
    "fact": None,
    "text": "",
    "key": "unknown",
    "action": None,
    "words": [],
    "count": None,
}
"""The reason of an item that the log does not know."""


@dataclass(frozen=True, slots=True, repr=False)
class RankedItem:
    """One item of a response.

    Attributes:
        id: The external id.
        score: The score, None where nothing is known of the item.
        reasons: Objects, the strongest first: `model` that retrieved the item, its `rank` there,
            `because` (the id of the item that it rests on), `fact`, `text`, a sentence, and what
            the sentence claims: `key`, `action`, `words` and `count`.
        filled: Whether no model found the item: it fills a list that would be too short.
    """

    id: str
    score: float | None
    reasons: list[dict[str, Any]] = field(default_factory=list)
    filled: bool = False

    def __repr__(self) -> str:
        if self.score is not None:
            return f"{self.id!r} {self.score:.4g}"
        return f"{self.id!r} {'filled' if self.filled else 'unknown'}"

    def to_dict(self) -> dict[str, Any]:
        """Return the item as JSON has it.

        Returns:
            `id`, `score` and `reasons`; `filled` where it is true.
        """
        return _item_objects([self])[0]


@dataclass(frozen=True, slots=True, repr=False)
class Response:
    """The response to one query.

    Attributes:
        request_id: Names the response in later requests.
        bundle: The bundle that answered.
        version: The offset of the last event it knows.
        worker: The process that answered.
        items: What is recommended, best first.
        degraded: What was not as it should be ("stale": the state was behind `at_least`).
        items_json: The items as JSON, if they were rendered.
    """

    request_id: str
    bundle: str
    version: int
    worker: str
    items: list[RankedItem] = field(default_factory=list)
    degraded: list[str] = field(default_factory=list)
    items_json: bytes = field(default=b"", compare=False)

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        """The ids and scores of the first ten; `to_dict` and `to_frame` have the rest."""
        named = [repr(item) for item in self.items[:N_REPR]]
        if len(self.items) > N_REPR:
            named.append(f"{len(self.items) - N_REPR} more")
        degraded = f" degraded={self.degraded}" if self.degraded else ""
        return f"<Response {self.request_id[:8]}: {', '.join(named) or 'no items'}{degraded}>"

    @property
    def ids(self) -> list[str]:
        """The external ids alone, best first."""
        return [item.id for item in self.items]

    @property
    def filled(self) -> int:
        """How many items fill the list: no model found them."""
        return sum(item.filled for item in self.items)

    def to_dict(self) -> dict[str, Any]:
        """Return the object that HTTP and the command line give out.

        Returns:
            All attributes but `items_json`, by name.
        """
        return {
            "request_id": self.request_id,
            "bundle": self.bundle,
            "version": self.version,
            "worker": self.worker,
            "items": [item.to_dict() for item in self.items],
            "degraded": self.degraded,
        }

    def to_frame(self) -> pl.DataFrame:
        """Return the items as a polars DataFrame.

        Returns:
            `rank` from 1, `id`, `score`, and `reason`, the text of the first reason.
        """
        import polars as pl

        columns = {
            "rank": list(range(1, len(self.items) + 1)),
            "id": self.ids,
            "score": [item.score for item in self.items],
            "reason": [
                item.reasons[0].get("text") if item.reasons else None for item in self.items
            ],
        }
        dtypes = {"rank": pl.Int64, "id": pl.String, "score": pl.Float64, "reason": pl.String}
        return pl.DataFrame(columns, schema=dtypes)


def to_json(value: Any) -> bytes:
    """Render as JSON; NaN and infinity become null.

    Args:
        value: Anything that orjson can express, numpy values and dataclasses included.

    Returns:
        The text in UTF-8. A `Response` whose items were rendered before uses that text.
    """
    if isinstance(value, Response):
        items = orjson.Fragment(value.items_json or items_json(value.items))
        value = {
            "request_id": value.request_id,
            "bundle": value.bundle,
            "version": value.version,
            "worker": value.worker,
            "items": items,
            "degraded": value.degraded,
        }
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)


def items_json(items: Sequence[RankedItem]) -> bytes:
    """Render the items of a response as JSON.

    Args:
        items: The items.

    Returns:
        The text in UTF-8; NaN and infinity are null.
    """
    return orjson.dumps(_item_objects(items), option=orjson.OPT_SERIALIZE_NUMPY)


def _item_objects(items: Sequence[RankedItem]) -> list[dict[str, Any]]:
    return [
        {
            "id": item.id,
            "score": item.score,
            "reasons": item.reasons,
            **({"filled": True} if item.filled else {}),
        }
        for item in items
    ]


def ranked_items(
    query: Query, items: CandidateLists, row: int, catalogue: Catalogue
) -> tuple[npt.NDArray[np.int64], list[RankedItem]]:
    """Read the slate of one query from the candidates of its batch.

    Args:
        query: The query.
        items: The candidates after the last step.
        row: The row of the query in the batch.
        catalogue: The items of the state that answered.

    Returns:
        The columns of the slate within the row, int64, and its items, best first. The caller's own
        candidates that the log does not know follow behind, without a score.
    """
    order = items.columns["order"][row]
    slate = np.flatnonzero((order >= 0) & (order < query.k))
    slate = slate[np.argsort(order[slate], kind="stable")]
    numbers = items.item_numbers[row, slate].tolist()
    scores: list[float | None] = [None] * len(slate)
    reasons: list[list[dict[str, Any]] | None] = [None] * len(slate)
    if "score" in items.columns:
        scores = _finite(items.columns["score"][row, slate])
    if "reasons" in items.columns:
        reasons = items.columns["reasons"][row, slate].tolist()
    is_filled = [False] * len(slate)
    if "fill" in items.columns:
        is_filled = [entry is not None for entry in items.columns["fill"][row, slate]]
    ids = catalogue.ids
    ranked = [
        RankedItem(ids[number], None if filled else score, list(why or ()), filled)
        for number, score, why, filled in zip(numbers, scores, reasons, is_filled, strict=True)
    ]
    if query.candidates is not None and len(ranked) < query.k:
        candidates = dict.fromkeys(query.candidates)
        unknown = [item for item in candidates if catalogue.number(item) < 0]
        room = query.k - len(ranked)
        text = sentence(query.language or LANGUAGES[0], "unknown")
        ranked += [RankedItem(item, None, [{**_UNKNOWN, "text": text}]) for item in unknown[:room]]
    return slate, ranked


_DEFAULTS = {
    name: default for name, default in asdict(Query()).items() if name not in ("user", "context")
}


def impression_payload(
    query: Query, items: CandidateLists, row: int, slate: npt.NDArray[np.int64], response: Response
) -> str:
    """Render what is remembered of a response.

    The user is left out: impressions name users by number, so that erasing one finds them.

    Args:
        query: The query.
        items: The candidates after the last step.
        row: The row of the query in the batch.
        slate: The columns of the slate within the row.
        response: The response.

    Returns:
        A JSON object: the `query`; the `items` as the client sees them, and as `evidence` the
        propensity of each and every model's rank and score; how many `candidates` there were and
        what `removed` the others.
    """
    stated = {name: getattr(query, name) for name in _DEFAULTS}
    stated = {name: value for name, value in stated.items() if value != _DEFAULTS[name]}
    if query.context:
        stated["context"] = query.context
    columns = items.columns
    removed = {}
    if "removed_by" in columns and items.removal_reasons:
        removed_by = columns["removed_by"][row]
        counts = np.bincount(removed_by[removed_by >= 0], minlength=len(items.removal_reasons))
        names = zip(items.removal_reasons, counts.tolist(), strict=True)
        removed = {name: count for name, count in names if count}
    return to_json(
        {
            "query": stated,
            "items": orjson.Fragment(response.items_json),
            "evidence": _evidence(columns, row, slate),
            "candidates": int((items.item_numbers[row] >= 0).sum()),
            "removed": removed,
            "degraded": response.degraded,
            "worker": response.worker,
        }
    ).decode()


def _evidence(
    columns: Mapping[str, npt.NDArray[Any]], row: int, slate: npt.NDArray[np.int64]
) -> list[dict[str, Any]]:
    """The propensity of each item, and by model its rank from 1 and its score where it has one."""
    evidence: list[dict[str, Any]] = [{"propensity": 1.0, "strands": {}} for _ in slate]
    if "propensity" in columns:
        for item, chance in zip(evidence, columns["propensity"][row, slate].tolist(), strict=True):
            if math.isfinite(chance):
                item["propensity"] = chance
    for name in columns:
        model, _, column = name.rpartition(".")
        if column != "score" or not model:
            continue
        scores = columns[name][row, slate].tolist()
        ranks = [-1] * len(slate)
        if f"{model}.rank" in columns:
            ranks = columns[f"{model}.rank"][row, slate].tolist()
        for item, rank, score in zip(evidence, ranks, scores, strict=True):
            if math.isfinite(score):
                item["strands"][model] = {"rank": rank + 1 if rank >= 0 else None, "score": score}
    return evidence


def _finite(values: npt.NDArray[Any]) -> list[float | None]:
    """Python floats; None for NaN and infinity, which JSON cannot express."""
    is_finite = np.isfinite(values)
    if is_finite.all():
        return values.tolist()  # type: ignore[no-any-return]
    pairs = zip(values.tolist(), is_finite.tolist(), strict=True)
    return [value if finite else None for value, finite in pairs]
