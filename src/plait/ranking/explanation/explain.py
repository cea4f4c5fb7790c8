"""Explains in words why each item is shown; reads columns and the catalogue, computes no score."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from plait.data.candidates import CandidateLists
from plait.data.query import QueryBatch
from plait.pipeline.constraints import Limit, bounded_field
from plait.pipeline.model_defaults import ReasonTemplates
from plait.pipeline.pipeline import PINS
from plait.pipeline.stage import Stage
from plait.ranking.explanation.templates import (
    Contribution,
    ExplanationContext,
    sentence,
    shared_value,
)

__all__ = ["Explain", "ExplainConfig"]

_PIN_TEMPLATE = "Chosen by the editors"


@dataclass(frozen=True, slots=True)
class ExplainConfig:
    """Settings of `explain`."""

    max_reasons: int = bounded_field(3, Limit(least=0))
    """The number of reasons an item has at most."""
    title: str = ""
    """The field that names an item; empty: title or name, else its id."""
    context_field: str = ""
    """The context field whose value sentences may mention: "country" for "Popular in France"."""
    templates: Mapping[str, str] = field(default_factory=dict)
    """Other sentences by model; {item}, {because}, {words}, {context} and {model} stand for the
    item, the item that explains it, the text of the query, the value of the context field and the
    name of the model."""


class Explain(Stage[ExplainConfig]):
    """Writes `reasons`: object [B, K], a list of dictionaries for a shown item, else None.

    Each dictionary has `model`, `rank` (from 1 in what the model retrieved, None if it did not
    retrieve the item), `because` (the id of the user's own item or the query item that weighs most,
    or None), `fact` ({"field", "value"} that both items share, or None) and `text`; the model with
    the largest share of the score comes first.
    """

    Config = ExplainConfig
    reads = ("order", "*.because", "*.rank", "*.score")
    writes = ("reasons",)

    def __init__(self, config: ExplainConfig | None = None, *, name: str = "") -> None:
        super().__init__(config, name=name)
        self._templates: dict[str, ReasonTemplates] = {}

    def with_models(self, models: Sequence[Stage]) -> Self:
        """This step with the templates that the models declare."""
        stage = copy.copy(self)
        stage._templates = {model.name: model.reason_templates for model in models}
        return stage

    @property
    def referenced_models(self) -> Mapping[str, tuple[str, ...]]:
        """The models that have a sentence of their own."""
        return {"templates": tuple(self.config.templates)}

    def apply(self, queries: QueryBatch, items: CandidateLists) -> CandidateLists:
        """Add `reasons`."""
        reasons = np.full(items.shape, None, object)
        rows, columns = np.nonzero(items.column("order") >= 0)
        contributions = _Contributions(items)
        contexts = [self._context(queries, row) for row in range(len(queries))]
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            number = int(items.item_numbers[row, column])
            strongest = contributions.of(row, column)[: self.config.max_reasons]
            reasons[row, column] = [
                self._reason(contexts[row], contribution, number) for contribution in strongest
            ]
        return items.with_columns(reasons=reasons)

    def _context(self, queries: QueryBatch, row: int) -> ExplanationContext:
        field_name = self.config.context_field
        context = queries.contexts[row]
        user = context.get("user")
        inherited = user.get(field_name) if isinstance(user, Mapping) else None
        value = context.get(field_name, inherited) if field_name else None
        return ExplanationContext(
            catalogue=None if queries.live is None else queries.live.state.catalogue,
            title=self.config.title,
            words=(queries.texts[row] or "").strip(),
            query_items=frozenset(queries.items[row].tolist()),
            context=value if isinstance(value, str) else "",
        )

    def _reason(
        self, context: ExplanationContext, contribution: Contribution, number: int
    ) -> dict[str, Any]:
        model, because = contribution.model, contribution.because
        shared = None
        if because >= 0 and because != number:
            shared = shared_value(context, number, because)
        templates: ReasonTemplates | str = self.config.templates.get(model, "")
        if not templates:
            usual = _PIN_TEMPLATE if model == PINS else ReasonTemplates()
            templates = self._templates.get(model, usual)
        return {
            "model": model,
            "rank": contribution.rank + 1 if contribution.rank >= 0 else None,
            "because": context.id(because),
            "fact": shared,
            "text": sentence(context, contribution, number, shared, templates),
        }


class _Contributions:
    """The columns of all models, looked up once."""

    def __init__(self, items: CandidateLists) -> None:
        names = dict.fromkeys(
            column.rpartition(".")[0]
            for column in items.columns
            if column.endswith((".score", ".rank"))
        )
        kinds = ("score", "share", "rank", "because")
        self._columns = {
            name: [items.columns.get(f"{name}.{kind}") for kind in kinds] for name in names
        }

    def of(self, row: int, column: int) -> list[Contribution]:
        """The models that retrieved a candidate or raised its score, pins first, by their share."""
        contributions = []
        for name, (scores, shares, ranks, because) in self._columns.items():
            if scores is not None and not np.isfinite(scores[row, column]):
                continue
            share = 0.0 if shares is None else float(shares[row, column])
            rank = -1 if ranks is None else int(ranks[row, column])
            if rank < 0 and (share <= 0 or name == PINS):
                continue
            share = np.inf if name == PINS else share
            number = -1 if because is None else int(because[row, column])
            contributions.append(Contribution(name, share, rank, number))
        return sorted(contributions, key=lambda item: (-item.share, item.rank < 0, item.rank))
