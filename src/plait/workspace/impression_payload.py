"""The stored JSON of a response: written and read here."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from plait.data.catalogue import Catalogue
from plait.data.types import ABSENT, CandidateLists, Query
from plait.eventlog import Impression
from plait.workspace.response import Response, items_json

__all__ = ["MAX_DESCRIBED", "decode_payload", "impression_payload", "shown_ids"]

MAX_DESCRIBED = 200
"""Of how many items of a response the reasons are remembered."""

MAX_BYTES = 256 * 1024
"""The fields of the items of a longer response are not remembered."""

_DEFAULTS = {
    name: default
    for name, default in asdict(Query()).items()
    if name not in ("user", "context", "session", "shown")
}


def impression_payload(
    query: Query,
    items: CandidateLists,
    row: int,
    slate: npt.NDArray[np.int64],
    response: Response,
    catalogue: Catalogue,
    session: int = ABSENT,
) -> str:
    """Render what is remembered of a response.

    The user is left out: impressions name users by number, so that erasing one finds them.

    Args:
        query: The query.
        items: The candidates after the last step.
        row: The row of the query in the batch.
        slate: The columns of the slate within the row.
        response: The response.
        catalogue: The items that the log knows.
        session: The number of the user who stands for the session, -1 for none.

    Returns:
        A JSON object: the `query`; the `items` as the client sees them, and as `evidence` the
        propensity of each and every model's rank and score; how many `candidates` there were and
        what `removed` the others; and the number of the user who stands for the `session`. Of a
        long response the items behind the first `MAX_DESCRIBED` are ids alone, `more`; of the
        query's lists the ids that the log does not know are counted, `unknown`.
    """
    stated = {name: getattr(query, name) for name in _DEFAULTS}
    stated = {name: value for name, value in stated.items() if value != _DEFAULTS[name]}
    unknown = _without_unknown_ids(stated, catalogue)
    if query.context:
        stated["context"] = query.context
    columns = items.columns
    removed = {}
    if "removed_by" in columns and items.removal_reasons:
        removed_by = columns["removed_by"][row]
        counts = np.bincount(removed_by[removed_by >= 0], minlength=len(items.removal_reasons))
        names = zip(items.removal_reasons, counts.tolist(), strict=True)
        removed = {name: count for name, count in names if count}
    return orjson.dumps(
        {
            "query": stated,
            **_items(response),
            "evidence": _evidence(columns, row, slate[:MAX_DESCRIBED]),
            "candidates": int((items.item_numbers[row] >= 0).sum()),
            "removed": removed,
            "degraded": response.degraded,
            "worker": response.worker,
            **({} if session == ABSENT else {"session": session}),
            **({"unknown": unknown} if unknown else {}),
        },
        option=orjson.OPT_SERIALIZE_NUMPY,
    ).decode()


def _items(response: Response) -> dict[str, Any]:
    """The items that are remembered: the first ones with their reasons, the others by id."""
    rendered, items = response.items_json, response.items
    if len(items) <= MAX_DESCRIBED and len(rendered) <= MAX_BYTES:
        return {"items": orjson.Fragment(rendered)}
    described = items_json([replace(item, fields=None) for item in items[:MAX_DESCRIBED]])
    more = [item.id for item in items[MAX_DESCRIBED:] if item.status != "unknown"]
    return {"items": orjson.Fragment(described), **({"more": more} if more else {})}


def _without_unknown_ids(stated: dict[str, Any], catalogue: Catalogue) -> dict[str, int]:
    """Take ids that the log does not know out of the lists of a query; how many there were."""
    counts = {}
    names = ["exclude", "history"]
    if stated.get("k", _DEFAULTS["k"]) >= len(stated.get("candidates") or ()):
        names.append("candidates")  # all of them were answered: nothing continues with the others
    for name in names:
        if not stated.get(name):
            continue
        known = [item for item in stated[name] if catalogue.number(item) >= 0]
        if len(known) < len(stated[name]):
            counts[name] = len(stated[name]) - len(known)
            stated[name] = known
    return counts


def shown_ids(payload: Mapping[str, Any]) -> list[str]:
    """Return the ids of all items that a response showed.

    Args:
        payload: The payload of its impression.

    Returns:
        The ids, best first.
    """
    return [*(str(item["id"]) for item in payload["items"]), *payload.get("more", ())]


def decode_payload(row: Impression) -> dict[str, Any]:
    """Read the payload of an impression.

    Args:
        row: The impression.

    Returns:
        The payload, in which each item has its evidence.
    """
    payload: dict[str, Any] = json.loads(row.payload)
    for item, evidence in zip(payload["items"], payload.pop("evidence", ()), strict=False):
        item.update(evidence)
        for reason in item.get("reasons", ()):
            if "strand" in reason:  # written before 0.2
                reason["model"] = reason.pop("strand")
    return payload


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
