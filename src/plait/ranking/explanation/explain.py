"""Adds the reasons of each item in words; reads columns and the catalogue, computes no score."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, ClassVar, Literal, Self

import numpy as np

from plait.data.array_types import Int32Array, Int64Array
from plait.data.candidates import CandidateLists
from plait.data.dataset import Dataset
from plait.data.history import History
from plait.data.query_batch import QueryBatch
from plait.pipeline.config_validation import Limit, bounded_field
from plait.pipeline.pipeline import PINS
from plait.pipeline.reason_templates import Claim, ReasonTemplates, check_placeholders
from plait.pipeline.recipe import LADDER
from plait.pipeline.stage import Stage
from plait.ranking.explanation.event_evidence import (
    Action,
    EventEvidence,
    PopularityLimits,
    past_actions,
)
from plait.ranking.explanation.fallback_reasons import fallback_reason
from plait.ranking.explanation.field_values import item_titles, shared_values
from plait.ranking.explanation.reason_writer import (
    Contribution,
    ReasonContext,
    ReasonLimits,
    item_reasons,
)
from plait.ranking.explanation.safe_text import safe_text

__all__ = ["Explain", "ExplainConfig"]


@dataclass(frozen=True, slots=True)
class ExplainConfig:
    """Settings of `explain`."""

    max_reasons: int = bounded_field(3, Limit(least=0))
    """The number of reasons an item has at most."""
    language: Literal["en", "de", "fr", "es", "zh"] = "en"
    """The language of the sentences where the query names none."""
    title: str = ""
    """The field that names an item; empty: title or name, else its id."""
    fields: tuple[str, ...] = ()
    """Fields whose values sentences may mention; none: categories and sets, but no ids, addresses,
    long texts and states."""
    context_field: str = ""
    """The context field whose value sentences may mention: "country" for "Popular: France"."""
    min_users: int = bounded_field(3, Limit(least=1))
    """How many users "often together" and "popular" take at least."""
    min_times: int = bounded_field(3, Limit(least=2))
    """How many purchases, or days of views, "again and again" takes at least."""
    popular_days: float = bounded_field(28.0, Limit(above=0))
    """How many days before the last event "right now" begins."""
    popular_items: int = bounded_field(50, Limit(least=1))
    """How many items are "popular" at most; never more than a twentieth of those with an event, or
    three."""
    bought_events: tuple[str, ...] = (
        *("purchase", "purchased", "buy", "bought", "order", "ordered", "transaction", "sale"),
        *("kauf", "bestellung", "achat", "commande", "compra", "pedido"),
    )
    """Event types that sentences call buying."""
    viewed_events: tuple[str, ...] = (
        *("view", "viewed", "click", "clicked", "visit", "open", "detail", "view_item"),
        *("pageview", "page_view", "product_view", "detail_view"),
    )
    """Event types that sentences call viewing."""
    rated_events: tuple[str, ...] = ("rating", "rate", "rated", "review", "reviewed")
    """Event types that sentences call rating; of any other type they say nothing."""
    templates: Mapping[str, str] = field(default_factory=dict)
    """Other sentences by model; {item}, {because}, {words}, {context} and {model} stand for the
    item, the item that explains it, the words of the query, the value of the context field and the
    name of the model."""


_USUAL_TEMPLATES = ReasonTemplates()
"""Those of a model that declares none."""


class Explain(Stage[ExplainConfig]):
    """Writes `reasons`: object [B, K], a list of dictionaries for a shown item, else None.

    Each dictionary has `model`, `rank` (from 1 in what the model retrieved, None if it did not
    retrieve the item), `because` (the id of the user's own item or the query item that weighs most,
    or None), `fact` ({"field", "value"} that both items share, or None), `text`, and what the text
    claims: its `key`, the `action` ("bought", "viewed", "rated" or None), the `words` and the
    `count` that it mentions. The model with the largest share of the score comes first.

    A fit collects who bought, viewed and rated what: a sentence is written only if that bears it
    out, whatever the models computed. Without a fit no sentence mentions other users.
    """

    Config = ExplainConfig
    test_variants = ({"context_field": "country", "language": "de"},)
    fitted_state: ClassVar[Mapping[str, Any]] = {"_evidence": EventEvidence}
    optional_state = frozenset({"_evidence"})
    reads = ("order", "*.because", "*.rank", "*.score")
    optional_reads = ("*.share",)
    writes = ("reasons",)

    def __init__(self, config: ExplainConfig | None = None, *, name: str = "") -> None:
        super().__init__(config, name=name)
        self._templates: dict[str, ReasonTemplates | Claim | str] = {PINS: Claim.PINNED}
        self._evidence = EventEvidence()
        self._actions: dict[str, Action] = {
            **dict.fromkeys(self.config.rated_events, Action.RATED),
            **dict.fromkeys(self.config.viewed_events, Action.VIEWED),
            **dict.fromkeys(self.config.bought_events, Action.BOUGHT),
        }
        """The action of each event type; those that no sentence mentions are left out."""

    def _check(self) -> None:
        for model, template in self.config.templates.items():
            check_placeholders(template, f"{self.name}.templates.{model}")

    def fit(self, dataset: Dataset, *, seed: int = 0) -> Self:
        config = self.config
        limits = PopularityLimits(config.popular_days, config.popular_items, config.min_users)
        fitted = copy.copy(self)
        fitted._evidence = EventEvidence.of(dataset, self._actions, limits, config.context_field)
        return fitted

    def with_models(self, models: Sequence[Stage]) -> Self:
        """This step with the templates that the models declare.

        Args:
            models: The models of the pipeline.
        """
        stage = copy.copy(self)
        declared = {model.name: model.reason_templates for model in models}
        stage._templates = {**declared, PINS: Claim.PINNED, **self.config.templates}
        return stage

    @property
    def referenced_models(self) -> Mapping[str, tuple[str, ...]]:
        """The models that have a sentence of their own; steps of the ladder may have one too."""
        return {"templates": tuple(name for name in self.config.templates if name not in LADDER)}

    def apply(self, queries: QueryBatch, items: CandidateLists) -> CandidateLists:
        """Add `reasons`.

        Args:
            queries: B queries.
            items: Their candidates, with `order` and the explanations of models.
        """
        reasons = np.full(items.item_numbers.shape, None, object)
        rows, columns = np.nonzero(items.columns["order"] >= 0)
        numbers = items.item_numbers[rows, columns].tolist()
        contributions = _contributions(items, rows, columns)
        if queries.live is not None and queries.live.state.catalogue.described.any():
            described = queries.live.state.catalogue.described
            contributions = [  # what no catalogue names, such as shipping, is no reason
                [
                    part
                    if part.because < 0 or described[part.because]
                    else Contribution(part.model, part.rank, -1)
                    for part in parts
                ]
                for parts in contributions
            ]
        shown = list(zip(rows.tolist(), columns.tolist(), numbers, contributions, strict=True))
        contexts = self._contexts(queries, [(row, item, parts) for row, _, item, parts in shown])
        models = {part.model for parts in contributions for part in parts}
        templates = {**dict.fromkeys(models, _USUAL_TEMPLATES), **self._templates}
        for row, column, number, parts in shown:
            reasons[row, column] = item_reasons(contexts[row], number, parts, templates)
        if "fill" in items.columns:
            fill, times = items.columns["fill"], queries.times.tolist()
            for row, column, _, _ in shown:
                if fill[row, column] is not None:
                    reasons[row, column] = fallback_reason(
                        fill[row, column],
                        times[row],
                        self.config.templates,
                        contexts[row].language,
                    )
        return items.with_columns(reasons=reasons)

    def _contexts(
        self, queries: QueryBatch, shown: list[tuple[int, int, list[Contribution]]]
    ) -> list[ReasonContext]:
        """What the reasons of each query may mention."""
        config, field_name = self.config, self.config.context_field
        state = None if queries.live is None else queries.live.state
        catalogue = None if state is None else state.catalogue
        pairs = {(number, part.because) for _, number, parts in shown for part in parts}
        query_items = _rows(queries.items.values, queries.items.offsets)
        histories = _rows(queries.history.items, queries.history.offsets)
        pairs = {pair for pair in pairs if pair[1] >= 0 and pair[0] != pair[1]}
        numbers = {number for pair in pairs for number in pair}
        numbers.update(number for _, number, _ in shown)
        named = numbers.union(*query_items)
        chosen = queries.languages or (None,) * len(queries.users)
        languages = [language or config.language for language in chosen]
        titles = {
            language: item_titles(catalogue, named, config.title, language)
            for language in dict.fromkeys(languages)
        }
        shared = shared_values(catalogue, pairs, config.fields)
        past = self._past(queries)
        alive = np.zeros(0, np.bool_) if state is None else state.users.alive
        n_erased = int(np.count_nonzero(~alive))
        limits = ReasonLimits(
            config.max_reasons, config.min_users, config.min_times, config.popular_items - 1
        )
        return [
            ReasonContext(
                languages[row],
                limits,
                catalogue,
                self._evidence,
                alive,
                n_erased,
                int(user),
                {} if past is None or user < 0 else past_actions(past, row, [*numbers]),
                frozenset(histories[row]),
                query_items[row],
                (queries.texts[row] or "").strip(),
                _context_value(queries.contexts[row], field_name) if field_name else "",
                titles[languages[row]],
                shared,
            )
            for row, user in enumerate(queries.users)
        ]

    def _past(self, queries: QueryBatch) -> History | None:
        """All that the users did, with the `Action` of each event as its weight."""
        if queries.live is None or not (queries.users >= 0).any():
            return None
        codes = {name: float(action) for name, action in self._actions.items()}
        return queries.live.state.history(queries.users, {**codes, "*": float(Action.OTHER)})


def _rows(values: Int32Array, offsets: Int64Array) -> list[tuple[int, ...]]:
    """The values of each row."""
    entries, ends = values.tolist(), offsets.tolist()
    return [tuple(entries[start:stop]) for start, stop in pairwise(ends)]


def _context_value(context: Mapping[str, Any], field_name: str) -> str:
    """The value of the context field: that of the request, else that of the user."""
    user = context.get("user")
    inherited = user.get(field_name) if isinstance(user, Mapping) else None
    value = context.get(field_name, inherited)
    return safe_text(value) if isinstance(value, str) else ""


def _contributions(
    items: CandidateLists, rows: Int64Array, columns: Int64Array
) -> list[list[Contribution]]:
    """For each shown candidate the models that retrieved it or raised its score.

    Pins go first, then the largest share of the score.
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
    return [[entry[-1] for entry in sorted(entries)] for entries in ranked]
