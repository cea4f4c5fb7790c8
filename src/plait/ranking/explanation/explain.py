"""Explains in words why each item is shown; reads columns and the catalogue, computes no score."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from plait.data.array_types import Int64Array
from plait.data.candidates import CandidateLists
from plait.data.query import QueryBatch
from plait.pipeline.config_validation import Limit, bounded_field
from plait.pipeline.pipeline import PINS
from plait.pipeline.reason_templates import ReasonTemplates
from plait.pipeline.stage import Stage
from plait.ranking.explanation.templates import Contribution, ExplanationContext, reason

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
        self._templates: dict[str, ReasonTemplates | str] = {PINS: _PIN_TEMPLATE}

    def with_models(self, models: Sequence[Stage]) -> Self:
        """This step with the templates that the models declare.

        Args:
            models: The models of the pipeline.
        """
        stage = copy.copy(self)
        declared = {model.name: model.reason_templates for model in models}
        stage._templates = {**declared, PINS: _PIN_TEMPLATE}
        return stage

    @property
    def referenced_models(self) -> Mapping[str, tuple[str, ...]]:
        """The models that have a sentence of their own."""
        return {"templates": tuple(self.config.templates)}

    def apply(self, queries: QueryBatch, items: CandidateLists) -> CandidateLists:
        """Add `reasons`.

        Args:
            queries: B queries.
            items: Their candidates, with `order` and the explanations of models.
        """
        reasons = np.full(items.item_numbers.shape, None, object)
        rows, columns = np.nonzero(items.columns["order"] >= 0)
        contexts = [self._context(queries, row) for row in range(len(queries.users))]
        contributions = _contributions(items, rows, columns, self.config.max_reasons)
        numbers = items.item_numbers[rows, columns].tolist()
        usual = ReasonTemplates()
        shown = zip(rows.tolist(), columns.tolist(), numbers, contributions, strict=True)
        for row, column, number, strongest in shown:
            reasons[row, column] = [
                reason(
                    contexts[row],
                    contribution,
                    number,
                    self.config.templates.get(contribution.model)
                    or self._templates.get(contribution.model, usual),
                )
                for contribution in strongest
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


def _contributions(
    items: CandidateLists, rows: Int64Array, columns: Int64Array, limit: int
) -> list[list[Contribution]]:
    """For each shown candidate the models that retrieved it or raised its score.

    Pins go first, then the largest share of the score; at most `limit` for each candidate.
    """
    models = dict.fromkeys(
        column.rpartition(".")[0]
        for column in items.columns
        if column.endswith((".score", ".rank"))
    )
    ranked: list[list[tuple[float, bool, int, int, Contribution]]] = [[] for _ in rows]
    missing = {"score": 0.0, "share": 0.0, "rank": -1, "because": -1}
    for index, model in enumerate(models):
        values = [
            items.columns[f"{model}.{kind}"][rows, columns].tolist()
            if f"{model}.{kind}" in items.columns
            else [absent] * len(rows)
            for kind, absent in missing.items()
        ]
        is_pin = model == PINS
        for position, (score, share, rank, because) in enumerate(zip(*values, strict=True)):
            if not math.isfinite(score) or (rank < 0 and (share <= 0 or is_pin)):
                continue
            order = (-math.inf if is_pin else -share, rank < 0, rank, index)
            ranked[position].append((*order, Contribution(model, rank, because)))
    return [[entry[-1] for entry in sorted(entries)[:limit]] for entries in ranked]
