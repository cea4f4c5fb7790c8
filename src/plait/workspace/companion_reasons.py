"""Says of items that share users with an anchor how many do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from plait.data.catalogue import Catalogue
from plait.data.types import Query, QueryBatch
from plait.pipeline.candidate_union import COMPANIONS
from plait.state.companions import Companions
from plait.workspace.readable_fields import readable_fields
from plait.workspace.response import RankedItem

__all__ = ["with_companion_reasons"]

_VERBS = {"purchase": "bought", "buy": "bought", "order": "ordered", "view": "viewed"}
_MAX_TITLE = 60


def with_companion_reasons(
    shown: Sequence[RankedItem], query: Query, batch: QueryBatch, row: int, catalogue: Catalogue
) -> list[RankedItem]:
    """Put the reason of each companion before the others.

    Args:
        shown: The items of the response.
        query: The query, with `event_types`.
        batch: Its batch.
        row: The row of the query in the batch.
        catalogue: The items of the state that answered.

    Returns:
        The items. A reason has the model "companions", the rank, `because` the anchor, and
        `users`: how many had an event of the query's types with both.
    """
    evidence: Companions | None = batch.cache[COMPANIONS][row]
    if evidence is None:
        return list(shown)
    ranks = {number: rank for rank, number in enumerate(evidence.items.tolist())}
    explained = []
    for item in shown:
        rank = ranks.get(catalogue.number(item.id))
        if rank is not None:
            anchor, users = int(evidence.anchors[rank]), int(evidence.users[rank])
            reason = _reason(query, catalogue, anchor, users, rank)
            item = replace(item, reasons=[reason, *item.reasons])  # noqa: PLW2901
        explained.append(item)
    return explained


def _reason(
    query: Query, catalogue: Catalogue, anchor: int, users: int, rank: int
) -> dict[str, Any]:
    fields = readable_fields(catalogue, anchor)
    title = str(fields.get("title") or fields.get("name") or catalogue.ids[anchor])
    title = title if len(title) <= _MAX_TITLE else f"{title[: _MAX_TITLE - 1]}…"
    verbs = {_VERBS.get(event_type) for event_type in query.event_types}
    verb = verbs.pop() if len(verbs) == 1 else None
    people = "1 user" if users == 1 else f"{users} users"
    text = f"{people} {verb} this and {title}" if verb else f"{people} took this and {title}"
    return {
        "model": COMPANIONS,
        "rank": rank + 1,
        "because": catalogue.ids[anchor],
        "fact": None,
        "text": text,
        "users": users,
    }
