"""The reasons of an explanation, made from the templates that models declare."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from plait.data.catalogue import Catalogue
from plait.pipeline.reason_templates import ReasonTemplates

__all__ = ["Contribution", "ExplanationContext", "reason"]

_TITLE_FIELDS = ("title", "name")
_MAX_LENGTH = 80
_UNTELLING = frozenset({"", "true", "false", "yes", "no"})
"""Values that two items may share without being alike."""

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Contribution:
    """The part of one model in the score of one candidate.

    Attributes:
        model: The name of the model.
        rank: The candidate's rank from 0 in what the model retrieved; -1: not retrieved.
        because: The number of the item that weighs most; -1: none.
    """

    model: str
    rank: int
    because: int


@dataclass(frozen=True, slots=True)
class ExplanationContext:
    """What the explanations of one query may mention, and what was looked up for them.

    Attributes:
        catalogue: The current items; None without a live state.
        title: The field that names an item; empty: title or name.
        words: The text of the query.
        query_items: The numbers of the items that the query starts from.
        context: The value of the context field.
        names: The names that were looked up, by item number.
        shared: The values that pairs of items share, as far as they were compared.
    """

    catalogue: Catalogue | None
    title: str = ""
    words: str = ""
    query_items: frozenset[int] = frozenset()
    context: str = ""
    names: dict[int, str] = field(default_factory=dict)
    shared: dict[tuple[int, int], dict[str, Any] | None] = field(default_factory=dict)

    def name(self, number: int) -> str:
        """Return the title of an item, or its id if it has none.

        Args:
            number: The item number.
        """
        catalogue, name = self.catalogue, f"item {number}"
        if catalogue is not None and 0 <= number < len(catalogue.ids):
            name = catalogue.ids[number]
            for title in (self.title, *_TITLE_FIELDS):
                column = catalogue.columns.get(title)
                value = None if column is None else column.values[number]
                if isinstance(value, str) and value.strip():
                    name = value.strip()
                    break
        self.names[number] = name = _shortened(name)
        return name

    def shared_value(self, first: int, second: int) -> dict[str, Any] | None:
        """Find a field in which two items agree.

        Args:
            first: The number of an item.
            second: The number of another one.

        Returns:
            The keys `field` and `value`: a category or text that both have, else the longest
            member that their sets have in common; None if they agree in nothing.
        """
        pair = first, second
        self.shared[pair] = None
        if self.catalogue is None or not 0 <= max(pair) < len(self.catalogue.ids):
            return None
        members: list[tuple[int, str, str]] = []
        for field_name, column in self.catalogue.columns.items():
            if column.type not in ("category", "text", "set"):
                continue
            value, other = column.values[first], column.values[second]
            if value is None or other is None:
                continue
            if column.type == "set":
                members += [(len(member), field_name, member) for member in set(value) & set(other)]
            elif value == other and value.casefold() not in _UNTELLING:
                self.shared[pair] = {"field": field_name, "value": value}
                return self.shared[pair]
        if members:
            _, field_name, value = max(members)
            self.shared[pair] = {"field": field_name, "value": value}
        return self.shared[pair]


def reason(
    context: ExplanationContext,
    contribution: Contribution,
    number: int,
    templates: ReasonTemplates | str,
) -> dict[str, Any]:
    """Explain why a model stands for an item.

    Args:
        context: What the sentence may mention.
        contribution: The part of the model.
        number: The number of the explained item.
        templates: The templates of the model, or one template for all cases.

    Returns:
        The keys `model`, `rank`, `because`, `fact`, and `text`, a sentence without a full stop.
    """
    because, catalogue = contribution.because, context.catalogue
    shared = None
    if because >= 0 and because != number:
        pair = number, because
        shared = context.shared[pair] if pair in context.shared else context.shared_value(*pair)
    if isinstance(templates, str):
        template = templates
    else:
        template = _applicable(context, because, number, shared is not None, templates)
    values = {"words": context.words, "context": context.context, "model": contribution.model}
    values |= {"field": "", "value": ""} if shared is None else shared
    query_item = min(context.query_items, default=-1)
    for name, item in (("item", number), ("because", because), ("query_item", query_item)):
        if f"{{{name}}}" in template:
            values[name] = context.names.get(item) or (context.name(item) if item >= 0 else "")
    pieces = _PLACEHOLDER.split(template)
    for index in range(1, len(pieces), 2):
        value = str(values.get(pieces[index], f"{{{pieces[index]}}}"))
        pieces[index] = value if len(value) <= _MAX_LENGTH else _shortened(value)
    because_id = None
    if catalogue is not None and 0 <= because < len(catalogue.ids):
        because_id = catalogue.ids[because]
    return {
        "model": contribution.model,
        "rank": contribution.rank + 1 if contribution.rank >= 0 else None,
        "because": because_id,
        "fact": shared,
        "text": "".join(pieces),
    }


def _applicable(
    context: ExplanationContext,
    because: int,
    number: int,
    has_shared: bool,
    templates: ReasonTemplates,
) -> str:
    """The first template that applies."""
    cases: tuple[str, ...]
    if because < 0:
        cases = (
            templates.text if context.words else "",
            templates.like_query_item if context.query_items else "",
            templates.context if context.context else "",
        )
    elif because == number:
        cases = (templates.same_item,)
    else:
        cases = (
            templates.query_item if because in context.query_items else "",
            templates.shared_value if has_shared else "",
            templates.history_item,
        )
    return next(filter(None, cases), templates.default)


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_LENGTH else text[: _MAX_LENGTH - 1].rstrip() + "…"
