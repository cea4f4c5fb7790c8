"""The response to a query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import orjson

from plait.data.catalogue import Catalogue
from plait.data.types import CandidateLists, Query
from plait.pipeline.reason_templates import LANGUAGES
from plait.ranking.explanation.sentences import sentence
from plait.workspace.item_fields import selected_fields

if TYPE_CHECKING:
    import polars as pl

__all__ = ["RankedItem", "Response", "items_json", "many_json", "ranked_items", "to_json"]

N_REPR = 10
"""How many items the `repr` of a response names."""

_UNRANKED = ("unknown", "deleted", "unavailable", "hidden", "filtered", "unscored")
"""The statuses of items of the caller's list that have no score."""

_ASKED_FOR = frozenset({"excluded", "seen", "cooldown"})
"""Why items of the caller's list are left out: the query says so."""


@dataclass(frozen=True, slots=True, repr=False)
class RankedItem:
    """One item of a response.

    Attributes:
        id: The external id.
        score: The score, None where nothing is known of the item.
        reasons: Objects, the strongest first: `model` that retrieved the item, its `rank` there,
            `because` (the id of the item that it rests on), `fact`, `text`, a sentence, and what
            the sentence claims: `key`, `action`, `words` and `count`.
        fields: The fields that the query asks for, by name; None if it asks for none.
        status: Why an item of the caller's list has no score, such as "unknown" or "deleted".
        filled: Whether no model found the item: it fills a list that would be too short.
    """

    id: str
    score: float | None
    reasons: list[dict[str, Any]] = field(default_factory=list)
    filled: bool = False
    fields: dict[str, Any] | None = None
    status: str | None = None

    def __repr__(self) -> str:
        if self.score is not None:
            return f"{self.id!r} {self.score:.4g}"
        return f"{self.id!r} {'filled' if self.filled else 'unknown'}"

    def to_dict(self) -> dict[str, Any]:
        """Return the item as JSON has it.

        Returns:
            `id`, `score` and `reasons`; `fields` and `status` where they are not None, `filled`
            where it is true.
        """
        optional = {"fields": self.fields, "status": self.status, "filled": self.filled or None}
        stated = {name: value for name, value in optional.items() if value is not None}
        return {"id": self.id, "score": self.score, "reasons": self.reasons, **stated}


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
        did_you_mean: The text of a search with the words that its typing errors were read as; ""
            where it has none.
    """

    request_id: str
    bundle: str
    version: int
    worker: str
    items: list[RankedItem] = field(default_factory=list)
    degraded: list[str] = field(default_factory=list)
    items_json: bytes = field(default=b"", compare=False)
    did_you_mean: str = ""

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
            All attributes but `items_json`, by name; `did_you_mean` only of a search that has it.
        """
        suggestion = {"did_you_mean": self.did_you_mean} if self.did_you_mean else {}
        return {
            "request_id": self.request_id,
            "bundle": self.bundle,
            "version": self.version,
            "worker": self.worker,
            "items": [item.to_dict() for item in self.items],
            "degraded": self.degraded,
            **suggestion,
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
            **({"did_you_mean": value.did_you_mean} if value.did_you_mean else {}),
        }
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)


def items_json(items: Sequence[RankedItem]) -> bytes:
    """Render the items of a response as JSON.

    Args:
        items: The items.

    Returns:
        The text in UTF-8; NaN and infinity are null.
    """
    objects = [
        {
            "id": item.id,
            "score": item.score,
            "reasons": item.reasons,
            **({} if item.fields is None else {"fields": item.fields}),
            **({} if item.status is None else {"status": item.status}),
            **({"filled": True} if item.filled else {}),
        }
        for item in items
    ]
    return orjson.dumps(objects, option=orjson.OPT_SERIALIZE_NUMPY)


def many_json(users: Sequence[str], responses: Sequence[Response]) -> bytes:
    """Render the responses to many users as one JSON object.

    Args:
        users: The users, at least one.
        responses: The response to each.

    Returns:
        The text in UTF-8.
    """
    rows = [
        {
            "user": user,
            "request_id": response.request_id,
            "items": orjson.Fragment(response.items_json),
            "degraded": response.degraded,
        }
        for user, response in zip(users, responses, strict=True)
    ]
    head = {
        "bundle": responses[-1].bundle,
        "version": min(response.version for response in responses),
        "worker": responses[0].worker,
    }
    return orjson.dumps({**head, "responses": rows})


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
        The columns of the slate within the row, int64, and its items, best first. Those of the
        caller's own candidates that cannot be ranked follow behind, without a score.
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
    if query.candidates is not None:
        ranked = [_with_status(item, query.language) for item in ranked]
        ranked += _unranked(query, items, row, catalogue)[: max(query.k - len(ranked), 0)]
    if query.fields:
        numbers = map(catalogue.number, [item.id for item in ranked])
        ranked = [
            replace(
                item,
                fields=selected_fields(query.fields, catalogue, number) if number >= 0 else {},
            )
            for item, number in zip(ranked, numbers, strict=True)
        ]
    return slate, ranked


def _with_status(item: RankedItem, language: str | None) -> RankedItem:
    """A ranked item; one that no model has scored says so."""
    if item.score is not None:
        return item
    reasons = item.reasons or [_no_score("unscored", language)]
    return replace(item, status="unscored", reasons=reasons)


def _unranked(
    query: Query, items: CandidateLists, row: int, catalogue: Catalogue
) -> list[RankedItem]:
    """The caller's candidates that cannot be ranked, in the caller's order, with the reason.

    What the query itself leaves out (`exclude`, `filter`, `seen`) is not among them.
    """
    statuses: dict[int, str] = {}
    if "removed_by" in items.columns:
        codes = items.columns["removed_by"][row]
        numbers = items.item_numbers[row]
        for column in np.flatnonzero((codes >= 0) & (numbers >= 0)).tolist():
            statuses[int(numbers[column])] = items.removal_reasons[codes[column]]
    unranked = []
    for item in dict.fromkeys(query.candidates or ()):
        number = catalogue.number(item)
        status = "unknown" if number < 0 else statuses.get(number)
        is_asked_for = status in _ASKED_FOR or (status == "filtered" and query.filter)
        if status is not None and not is_asked_for:
            reasons = [_no_score(status, query.language)]
            unranked.append(RankedItem(item, None, reasons, status=status))
    return unranked


def _no_score(status: str, language: str | None) -> dict[str, Any]:
    """The reason of an item of the caller's list without a score."""
    key = status if status in _UNRANKED else "filtered"
    claim: dict[str, Any] = {"key": key, "action": None, "words": [], "count": None}
    text = sentence(language or LANGUAGES[0], key)
    return {"model": None, "rank": None, "because": None, "fact": None, "text": text, **claim}


def _finite(values: npt.NDArray[Any]) -> list[float | None]:
    """Python floats; None for NaN and infinity, which JSON cannot express."""
    is_finite = np.isfinite(values)
    if is_finite.all():
        return values.tolist()  # type: ignore[no-any-return]
    pairs = zip(values.tolist(), is_finite.tolist(), strict=True)
    return [value if finite else None for value, finite in pairs]
