"""The sentences of explanations, made from the templates that models declare."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from plait.data.catalogue import Catalogue
from plait.pipeline.model_defaults import ReasonTemplates

__all__ = ["Contribution", "ExplanationContext", "sentence", "shared_value"]

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
        share: Its part of the score; infinite for a pin.
        rank: The candidate's rank from 0 in what the model retrieved; -1: not retrieved.
        because: The number of the item that weighs most; -1: none.
    """

    model: str
    share: float
    rank: int
    because: int


@dataclass(frozen=True, slots=True)
class ExplanationContext:
    """What the explanations of one query may mention.

    Attributes:
        catalogue: The current items; None without a live state.
        title: The field that names an item; empty: title or name.
        words: The text of the query.
        query_items: The numbers of the items that the query starts from.
        context: The value of the context field.
    """

    catalogue: Catalogue | None
    title: str = ""
    words: str = ""
    query_items: frozenset[int] = frozenset()
    context: str = ""

    def id(self, number: int) -> str | None:
        """The external id of an item.

        Args:
            number: The item number.

        Returns:
            The id; None if the catalogue has no such item.
        """
        if self.catalogue is None or not 0 <= number < len(self.catalogue):
            return None
        return self.catalogue.id(number)

    def name(self, number: int) -> str:
        """The title of an item, or its id if it has none.

        Args:
            number: The item number.
        """
        if self.catalogue is None or not 0 <= number < len(self.catalogue):
            return f"item {number}"
        for field in (self.title, *_TITLE_FIELDS):
            column = self.catalogue.columns.get(field)
            value = None if column is None else column.get(number)
            if isinstance(value, str) and value.strip():
                return _shortened(value.strip())
        return _shortened(self.catalogue.id(number))


def sentence(
    context: ExplanationContext,
    contribution: Contribution,
    number: int,
    shared: Mapping[str, Any] | None,
    templates: ReasonTemplates | str,
) -> str:
    """Explain in one sentence, without a full stop, why a model stands for an item.

    Args:
        context: What the sentence may mention.
        contribution: The part of the model.
        number: The number of the explained item.
        shared: A field and a value that the item shares with `contribution.because`, or None.
        templates: The templates of the model, or one template for all cases.
    """
    if isinstance(templates, str):
        template = templates
    else:
        template = _applicable(context, contribution, number, shared, templates)
    because = contribution.because
    values = {
        "item": context.name(number),
        "because": context.name(because) if because >= 0 else "",
        "field": str(shared["field"]) if shared else "",
        "value": _shortened(str(shared["value"])) if shared else "",
        "words": _shortened(context.words),
        "context": _shortened(context.context),
        "query_item": context.name(min(context.query_items)) if context.query_items else "",
        "model": contribution.model,
    }
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), template)


def _applicable(
    context: ExplanationContext,
    contribution: Contribution,
    number: int,
    shared: Mapping[str, Any] | None,
    templates: ReasonTemplates,
) -> str:
    """The first template that applies."""
    because = contribution.because
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
            templates.shared_value if shared else "",
            templates.history_item,
        )
    return next(filter(None, cases), templates.default)


def shared_value(context: ExplanationContext, first: int, second: int) -> dict[str, Any] | None:
    """A field in which two items agree.

    Args:
        context: The query, with the catalogue.
        first: The number of an item.
        second: The number of another one.

    Returns:
        The keys `field` and `value`: a category or text that both have, else the longest member
        that their sets have in common; None if they agree in nothing.
    """
    if context.catalogue is None or not 0 <= max(first, second) < len(context.catalogue):
        return None
    members: list[tuple[int, str, str]] = []
    for field, column in context.catalogue.columns.items():
        if column.type not in ("category", "text", "set"):
            continue
        value, other = column.values[first], column.values[second]
        if value is None or other is None:
            continue
        if column.type == "set":
            members.extend((len(member), field, member) for member in set(value) & set(other))
        elif value == other and value.casefold() not in _UNTELLING:
            return {"field": field, "value": value}
    if not members:
        return None
    _, field, value = max(members)
    return {"field": field, "value": value}


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_LENGTH else text[: _MAX_LENGTH - 1].rstrip() + "…"
