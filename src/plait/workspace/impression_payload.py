"""The stored JSON of a response: written and read here."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from plait.data.types import ABSENT, CandidateLists, Query
from plait.eventlog import Impression
from plait.workspace.response import Response

__all__ = ["decode_payload", "impression_payload"]

_DEFAULTS = {
    name: default
    for name, default in asdict(Query()).items()
    if name not in ("user", "context", "session")
}


def impression_payload(
    query: Query,
    items: CandidateLists,
    row: int,
    slate: npt.NDArray[np.int64],
    response: Response,
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
        session: The number of the user who stands for the session, -1 for none.

    Returns:
        A JSON object: the `query`; the `items` as the client sees them, and as `evidence` the
        propensity of each and every model's rank and score; how many `candidates` there were and
        what `removed` the others; and the number of the user who stands for the `session`.
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
    return orjson.dumps(
        {
            "query": stated,
            "items": orjson.Fragment(response.items_json),
            "evidence": _evidence(columns, row, slate),
            "candidates": int((items.item_numbers[row] >= 0).sum()),
            "removed": removed,
            "degraded": response.degraded,
            "worker": response.worker,
            **({} if session == ABSENT else {"session": session}),
        },
        option=orjson.OPT_SERIALIZE_NUMPY,
    ).decode()


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
