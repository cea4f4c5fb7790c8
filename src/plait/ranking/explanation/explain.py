"""Says in words why each item is shown; reads columns and the catalogue, computes no score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from plait.data.types import CandidateLists, QueryBatch
from plait.pipeline.constraints import Limit, bounded_field
from plait.pipeline.pipeline import PINS
from plait.pipeline.stage import Stage
from plait.ranking.explanation.templates import (
    Contribution,
    ExplanationContext,
    sentence,
    shared_fact,
)

__all__ = ["Explain", "ExplainConfig"]


@dataclass(frozen=True, slots=True)
class ExplainConfig:
    """What `explain` can be told."""

    max_reasons: int = bounded_field(3, Limit(least=0))
    """At most so many reasons an item."""
    title: str = ""
    """The field that names an item; empty: title or name, else its id."""
    popular_by: str = ""
    """The context that `popular` goes by ("country"), so that its sentence may name it."""
    templates: Mapping[str, str] = field(default_factory=dict)
    """Other sentences by strand; {item}, {because}, {words}, {context} and {strand} stand for the
    item, the item it rests on, the words of the query, the context's value and the strand."""


class Explain(Stage[ExplainConfig]):
    """Leaves `reasons`: object [B, K], for what is shown a list of dictionaries, else None.

    Each has `strand`, `rank` (from 1 in what the strand brought, None if it did not), `because`
    (the id of the user's own item or the anchor it rests on, or None), `fact` ({"field", "value"}
    that both items share, or None) and `text`, strongest strand first.
    """

    Config = ExplainConfig
    reads = ("order", "*.because", "*.rank", "*.score")
    writes = ("reasons",)

    @property
    def referenced_models(self) -> Mapping[str, tuple[str, ...]]:
        """The strands that have a sentence of their own."""
        return {"templates": tuple(self.config.templates)}

    def apply(self, queries: QueryBatch, items: CandidateLists) -> CandidateLists:
        """Adds `reasons`."""
        reasons = np.full(items.shape, None, object)
        rows, columns = np.nonzero(items.column("order") >= 0)
        strands = _Strands(items)
        asked = [self._asked(queries, row) for row in range(len(queries))]
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            reasons[row, column] = self._reasons(strands, asked[row], row, column)
        return items.with_columns(reasons=reasons)

    def _asked(self, queries: QueryBatch, row: int) -> ExplanationContext:
        by = self.config.popular_by
        context = queries.contexts[row]
        user = context.get("user")
        inherited = user.get(by) if isinstance(user, Mapping) else None
        value = context.get(by, inherited) if by else None
        return ExplanationContext(
            catalogue=None if queries.live is None else queries.live.state.catalogue,
            title=self.config.title,
            words=(queries.texts[row] or "").strip(),
            anchors=frozenset(queries.items[row].tolist()),
            context=value if isinstance(value, str) else "",
        )

    def _reasons(
        self, strands: _Strands, asked: ExplanationContext, row: int, column: int
    ) -> list[Any]:
        number = int(strands.items.item_numbers[row, column])
        found = []
        for evidence in strands.evidence(row, column)[: self.config.max_reasons]:
            fact = None
            if evidence.because >= 0 and evidence.because != number:
                fact = shared_fact(asked, number, evidence.because)
            template = self.config.templates.get(evidence.strand, "")
            found.append(
                {
                    "strand": evidence.strand,
                    "rank": evidence.rank + 1 if evidence.rank >= 0 else None,
                    "because": asked.id(evidence.because),
                    "fact": fact,
                    "text": sentence(asked, evidence, number, fact, template),
                }
            )
        return found


class _Strands:
    """The columns of all strands, looked up once."""

    def __init__(self, items: CandidateLists) -> None:
        self.items = items
        names = dict.fromkeys(
            one.rpartition(".")[0] for one in items.columns if one.endswith((".score", ".rank"))
        )
        self._columns = {
            name: [items.columns.get(f"{name}.{one}") for one in ("share", "rank", "because")]
            for name in names
        }
        self._scores = {name: items.columns.get(f"{name}.score") for name in names}

    def evidence(self, row: int, column: int) -> list[Contribution]:
        """The strands that brought a candidate or lifted it, strongest first; pins before all."""
        found = []
        for name, (share, rank, because) in self._columns.items():
            score = self._scores[name]
            if score is not None and not np.isfinite(score[row, column]):
                continue
            worth = 0.0 if share is None else float(share[row, column])
            worth = np.inf if name == PINS else worth
            place = -1 if rank is None else int(rank[row, column])
            if place < 0 and (worth <= 0 or name == PINS):
                continue
            source = -1 if because is None else int(because[row, column])
            found.append(Contribution(name, worth, place, source))
        return sorted(found, key=lambda one: (-one.worth, one.rank < 0, one.rank))
