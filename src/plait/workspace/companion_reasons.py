"""Reasons that state how many users an item shares with an anchor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from plait.data.catalogue import Catalogue
from plait.data.types import Query, QueryBatch
from plait.pipeline.candidate_union import COMPANIONS
from plait.pipeline.reason_templates import LANGUAGES
from plait.ranking.explanation.field_values import item_titles
from plait.ranking.explanation.safe_text import shortened
from plait.ranking.explanation.sentences import sentence
from plait.state.companions import Companions
from plait.workspace.response import RankedItem

__all__ = ["with_companion_reasons"]

_ACTIONS = {"purchase": "bought", "buy": "bought", "order": "bought", "view": "viewed"}
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
    language = query.language or LANGUAGES[0]
    actions = {_ACTIONS.get(event_type) for event_type in query.event_types}
    action = actions.pop() if len(actions) == 1 else None
    key = f"companions_{action or 'chosen'}"
    title = item_titles(catalogue, [anchor], "", language).get(anchor, catalogue.ids[anchor])
    template = sentence(language, key, users).replace("{count}", str(users))
    text = template.replace("{because}", shortened(title, _MAX_TITLE))
    return {
        "model": COMPANIONS,
        "rank": rank + 1,
        "because": catalogue.ids[anchor],
        "fact": None,
        "text": text,
        "key": key,
        "action": action,
        "words": [],
        "count": users,
        "users": users,
    }
