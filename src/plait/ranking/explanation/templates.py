"""The words of explanations: one sentence for each way in which an item can be found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from plait.data.catalogue import Catalogue

__all__ = ["Contribution", "ExplanationContext", "sentence", "shared_fact"]

_TITLES = ("title", "name")
_LONGEST = 80
_PLAIN = frozenset({"", "true", "false", "yes", "no"})
"""Values that two items may share without being alike."""


class Contribution(NamedTuple):
    """What one strand has to say for one candidate.

    `worth`: its share of the score; `rank` from 0 in what it brought, -1: not brought; `because`:
    the number of the item it rests on, -1: none.
    """

    strand: str
    worth: float
    rank: int
    because: int


@dataclass(frozen=True, slots=True)
class ExplanationContext:
    """What a sentence may speak of: the catalogue as it is now, and the question."""

    catalogue: Catalogue | None
    title: str = ""
    words: str = ""
    anchors: frozenset[int] = frozenset()
    context: str = ""

    def id(self, number: int) -> str | None:
        """The outside id, None for no item."""
        if self.catalogue is None or not 0 <= number < len(self.catalogue):
            return None
        return self.catalogue.id(number)

    def name(self, number: int) -> str:
        """The title of an item, its id if it has none."""
        if self.catalogue is None or not 0 <= number < len(self.catalogue):
            return f"item {number}"
        for field in (self.title, *_TITLES):
            column = self.catalogue.columns.get(field)
            value = None if column is None else column.get(number)
            if isinstance(value, str) and value.strip():
                return _short(value.strip())
        return _short(self.catalogue.id(number))


def sentence(
    asked: ExplanationContext,
    evidence: Contribution,
    number: int,
    fact: dict[str, Any] | None,
    template: str = "",
) -> str:
    """Why a strand stands for an item, in one sentence without a full stop."""
    if template:
        return _filled(template, asked, evidence, number)
    return _SENTENCES.get(evidence.strand, _any)(asked, evidence, number, fact)


def shared_fact(asked: ExplanationContext, one: int, two: int) -> dict[str, Any] | None:
    """A field in which both items say the same: a category first, then the longest set entry."""
    if asked.catalogue is None or not 0 <= max(one, two) < len(asked.catalogue):
        return None
    sets: list[tuple[int, str, str]] = []
    for field, column in asked.catalogue.columns.items():
        if column.type not in ("category", "text", "set"):
            continue
        mine, theirs = column.values[one], column.values[two]
        if mine is None or theirs is None:
            continue
        if column.type != "set":
            if mine == theirs and mine.casefold() not in _PLAIN:
                return {"field": field, "value": mine}
            continue
        sets.extend((len(value), field, value) for value in set(mine) & set(theirs))
    if not sets:
        return None
    _, field, value = max(sets)
    return {"field": field, "value": value}


Fact = dict[str, Any] | None


def _popular(asked: ExplanationContext, _evidence: Contribution, _number: int, _fact: Fact) -> str:
    return f"Popular in {_short(asked.context)}" if asked.context else "Popular right now"


def _repeat(_asked: ExplanationContext, evidence: Contribution, number: int, _fact: Fact) -> str:
    if evidence.because == number:
        return "You come back to it"
    return "People who come back to the same take it"


def _lexical(asked: ExplanationContext, evidence: Contribution, number: int, fact: Fact) -> str:
    return (
        f"Matches your words '{_short(asked.words)}'"
        if asked.words
        else _any(asked, evidence, number, fact)
    )


def _content(asked: ExplanationContext, evidence: Contribution, _number: int, fact: Fact) -> str:
    if evidence.because < 0:
        if asked.words:
            return f"Says something like '{_short(asked.words)}'"
        return "Like what you took before"
    like = f"Like {asked.name(evidence.because)}"
    return f"{like}: both {fact['field']} {_short(str(fact['value']))}" if fact else like


def _collaborative(
    asked: ExplanationContext, evidence: Contribution, number: int, _fact: Fact
) -> str:
    if evidence.because < 0:
        # Its score is borrowed from items alike: of its own behaviour nothing is known yet.
        known = asked.name(min(asked.anchors)) if asked.anchors else "what you took"
        return f"Things like it go with {known}"
    if evidence.because == number:
        return "You come back to it"
    if evidence.because in asked.anchors:
        return f"Often taken together with {asked.name(evidence.because)}"
    return f"Because you took {asked.name(evidence.because)}"


def _pins(_asked: ExplanationContext, _evidence: Contribution, _number: int, _fact: Fact) -> str:
    return "Chosen by the editors"


def _any(asked: ExplanationContext, evidence: Contribution, number: int, fact: Fact) -> str:
    """For strands that nobody wrote a sentence for."""
    if evidence.because < 0 or evidence.because == number:
        return f"Found by {evidence.strand}"
    other = asked.name(evidence.because)
    if evidence.because in asked.anchors:
        return f"Goes with {other}"
    if fact:
        return f"Because you took {other}: both {fact['field']} {_short(str(fact['value']))}"
    return f"Because you took {other}"


_SENTENCES: dict[str, Callable[[ExplanationContext, Contribution, int, Fact], str]] = {
    "popular": _popular,
    "repeat": _repeat,
    "neighbours": _collaborative,
    "linear": _collaborative,
    "content": _content,
    "lexical": _lexical,
    "pins": _pins,
}


def _filled(template: str, asked: ExplanationContext, evidence: Contribution, number: int) -> str:
    """The template with its placeholders replaced; nothing else in it has a meaning."""
    parts = {
        "{item}": asked.name(number),
        "{because}": asked.name(evidence.because) if evidence.because >= 0 else "",
        "{words}": _short(asked.words),
        "{context}": _short(asked.context),
        "{strand}": evidence.strand,
    }
    for place, value in parts.items():
        template = template.replace(place, value)
    return template


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1].rstrip() + "…"
