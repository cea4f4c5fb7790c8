"""Writes the reasons of one answer: the first claim of each model that the log confirms."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np

from plait.data.array_types import BoolArray
from plait.data.catalogue import Catalogue
from plait.pipeline.reason_templates import Claim, ReasonTemplates
from plait.ranking.explanation.event_evidence import ANY, Action, EventEvidence, PastActions
from plait.ranking.explanation.matched_words import matched_words, title_words
from plait.ranking.explanation.safe_text import safe_text, shortened
from plait.ranking.explanation.sentences import field_name, sentence

__all__ = [
    "MAX_LENGTH",
    "OWN_SENTENCE",
    "Contribution",
    "ReasonContext",
    "ReasonLimits",
    "item_reasons",
]

MAX_LENGTH = 120
"""How many characters a sentence has at most."""

_VALUE_LENGTHS = (80, 60, 45, 30, 20, 12)
"""How long a value in a sentence may be, tried in turn until the sentence is short enough."""

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_PAST_KEYS = {Action.BOUGHT: "bought", Action.VIEWED: "viewed", Action.RATED: "rated"}

OWN_SENTENCE = "own"
"""The key of a sentence that a model or a recipe brings along."""


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
class ReasonLimits:
    """When a sentence is true.

    Attributes:
        reasons: How many reasons an item has at most.
        users: How many users "often" and "popular" take at least.
        times: How often "again and again" is at least.
        rank: The last rank from 0 of a model of popularity at which an item is popular.
    """

    reasons: int
    users: int
    times: int
    rank: int


@dataclass(frozen=True, slots=True)
class ReasonContext:
    """What the reasons of one query may mention, looked up for the whole batch.

    Attributes:
        language: The language of the sentences.
        limits: When a sentence is true.
        catalogue: The current items; None without a live state.
        evidence: What the log says of items.
        alive: bool [users], the users who have not been erased.
        n_erased: How many have been.
        user: The number of the user; -1 unknown.
        past: What the user did with the items that matter.
        history: The items of the history.
        query_items: The items that the query starts from, in their order.
        text: The text of the query.
        context: The value of the context field.
        titles: The titles of items by number, "" for none.
        shared: By pair of items the field in which they agree.
        words: The words that items have in common with the text, by item, as far as looked up.
    """

    language: str
    limits: ReasonLimits
    catalogue: Catalogue | None
    evidence: EventEvidence
    alive: BoolArray
    n_erased: int
    user: int
    past: PastActions
    history: frozenset[int]
    query_items: tuple[int, ...]
    text: str
    context: str
    titles: Mapping[int, str]
    shared: Mapping[tuple[int, int], dict[str, Any]]
    words: dict[int, tuple[str, ...]] = field(default_factory=dict)


class _Wording(NamedTuple):
    """A claim that holds: its sentence and what it mentions."""

    key: str
    action: str | None = None
    because: int = -1
    n_times: int | None = None
    words: tuple[str, ...] = ()


def item_reasons(
    context: ReasonContext,
    number: int,
    contributions: Sequence[Contribution],
    templates: Mapping[str, ReasonTemplates | Claim | str],
) -> list[dict[str, Any]]:
    """Explain why an item is in the answer.

    Args:
        context: What the sentences may mention.
        number: The number of the item.
        contributions: The parts of the models, the largest first.
        templates: What each model claims.

    Returns:
        The reasons, no two of the same text; what says nothing only where nothing else is true.
    """
    reasons: dict[str, dict[str, Any]] = {}
    weak: dict[str, dict[str, Any]] = {}
    for contribution in contributions:
        if len(reasons) >= context.limits.reasons:
            break
        reason = _reason(context, number, contribution, templates[contribution.model])
        target = weak if reason["key"] == Claim.INTEREST else reasons
        target.setdefault(reason["text"], reason)
    return list((reasons or weak).values())[: context.limits.reasons]


def _reason(
    context: ReasonContext,
    number: int,
    contribution: Contribution,
    templates: ReasonTemplates | Claim | str,
) -> dict[str, Any]:
    """The first sentence that applies and is true."""
    because, catalogue = contribution.because, context.catalogue
    shared = context.shared.get((number, because))
    wording, own, adds_shared = _Wording(Claim.INTEREST), "", False
    of_source = (because >= 0, because == number, because in context.query_items)
    of_query = (bool(context.text), bool(context.query_items), bool(context.context))
    for case, template in _cases(templates, (*of_source, shared is not None, *of_query)):
        if isinstance(template, str) and not isinstance(template, Claim):
            own, wording = template, _Wording(OWN_SENTENCE)
            break
        claims = (template,) if isinstance(template, Claim) else template
        holds = (_CHECKS[claim](context, number, contribution) for claim in claims)
        true_claim = next((outcome for outcome in holds if outcome is not None), None)
        if true_claim is not None:
            wording = true_claim
            adds_shared = case == "shared_value" or wording.key.startswith("similar")
            break
    source = wording.because if wording.because >= 0 else because
    values = {
        "item": context.titles.get(number, ""),
        "because": context.titles.get(source, ""),
        "query_item": context.titles.get(context.query_items[0], "") if context.query_items else "",
        "words": " ".join(wording.words) or (safe_text(context.text) if own else ""),
        "context": context.context,
        "model": contribution.model,
        "count": "" if wording.n_times is None else str(wording.n_times),
        **({"field": "", "value": ""} if shared is None else shared),
    }
    if own:
        text = _filled(own, values)
    else:
        key = wording.key if values["because"] or wording.because < 0 else f"{wording.key}_unnamed"
        template = sentence(context.language, key, wording.n_times)
        suffix = ""
        if shared is not None and adds_shared:
            suffix = sentence(context.language, "shared")
            values["field"] = field_name(context.language, shared["field"])
        text = (template + suffix).format_map(values)
        if len(text) > MAX_LENGTH:
            text = _filled(template, values, suffix)
    has_id = catalogue is not None and 0 <= because < len(catalogue.ids)
    return {
        "model": contribution.model,
        "rank": contribution.rank + 1 if contribution.rank >= 0 else None,
        "because": catalogue.ids[because] if catalogue is not None and has_id else None,
        "fact": shared,
        "text": text,
        "key": wording.key,
        "action": wording.action,
        "words": list(wording.words),
        "count": wording.n_times,
    }


@lru_cache(maxsize=1 << 10)
def _cases(
    templates: ReasonTemplates | Claim | str, states: tuple[bool, ...]
) -> tuple[tuple[str, Claim | tuple[Claim, ...] | str], ...]:
    """What applies to a contribution, in the order in which it is tried.

    The states are whether an item weighs most, whether it is the explained item, whether it is of
    the query, whether it shares a field with the explained item, and whether the query has text,
    items, and a value of the context field.
    """
    if isinstance(templates, str):
        return (("", templates),)
    has_source, is_same, is_of_query, is_alike, has_text, has_items, has_context = states
    if not has_source:
        names = ["text"] * has_text + ["like_query_item"] * has_items + ["context"] * has_context
    elif is_same:
        names = ["same_item"]
    else:
        names = ["query_item"] * is_of_query + ["shared_value"] * is_alike
        names += [] if is_of_query else ["history_item"]
    cases = ((name, getattr(templates, name)) for name in (*names, "default"))
    return tuple(case for case in cases if case[1])


def _filled(template: str, values: Mapping[str, str], suffix: str = "") -> str:
    """The sentence with its values, at most 120 characters."""
    for pattern in (template + suffix, template):
        pieces = _PLACEHOLDER.split(pattern)
        text = ""
        for length in _VALUE_LENGTHS if pattern is template or not suffix else _VALUE_LENGTHS[:2]:
            text = "".join(
                shortened(values.get(piece, f"{{{piece}}}"), length) if index % 2 else piece
                for index, piece in enumerate(pieces)
            )
            if len(text) <= MAX_LENGTH:
                return text
    return shortened(text, MAX_LENGTH)


def _again(context: ReasonContext, number: int, _part: Contribution) -> _Wording | None:
    past = context.past.get(number, {})
    for action, name in _PAST_KEYS.items():
        if action in past:
            n_times, n_days = past[action]
            if action == Action.BOUGHT and n_times >= context.limits.times:
                return _Wording("bought_often", name, n_times=n_times)
            if action == Action.VIEWED and n_days >= context.limits.times:
                return _Wording("viewed_often", name)
            return _Wording(f"{name}_before", name)
    return _Wording("known_before") if past or number in context.history else None


def _because(context: ReasonContext, _number: int, part: Contribution) -> _Wording | None:
    past = context.past.get(part.because, {})
    for action, name in _PAST_KEYS.items():
        if action in past:
            return _Wording(f"because_{name}", name, part.because)
    if part.because in context.history:
        return _Wording("because_known", because=part.because)
    return None


def _together(context: ReasonContext, number: int, part: Contribution) -> _Wording | None:
    anchor = part.because if part.because >= 0 else next(iter(context.query_items), -1)
    least = context.limits.users
    if anchor < 0 or anchor == number:
        return None
    if not context.evidence.are_together(number, anchor, ANY, least, context.alive):
        return None
    for action, name in _PAST_KEYS.items():
        if context.evidence.are_together(number, anchor, action, least, context.alive):
            return _Wording(f"{name}_together", name, anchor)
    return _Wording("chosen_together", because=anchor)


def _similar(context: ReasonContext, number: int, part: Contribution) -> _Wording | None:
    pair = number, part.because
    if pair in context.shared:
        return _Wording("similar", because=part.because)
    if context.catalogue is None or min(pair) < 0:
        return None
    ids, (first, second) = context.catalogue.ids, (context.titles.get(item, "") for item in pair)
    if max(pair) >= len(ids) or (first, second) == (ids[pair[0]], ids[pair[1]]):
        return None
    is_similar = title_words(first) & title_words(second)
    return _Wording("similar", because=part.because) if is_similar else None


def _alike(context: ReasonContext, number: int, part: Contribution) -> _Wording | None:
    is_alike = (number, part.because) in context.shared
    return _Wording("similar", because=part.because) if is_alike else None


def _goes_with(context: ReasonContext, _number: int, part: Contribution) -> _Wording | None:
    anchor = part.because if part.because >= 0 else next(iter(context.query_items), -1)
    return _Wording("goes_with", because=anchor) if anchor >= 0 else None


def _history(context: ReasonContext, _number: int, _part: Contribution) -> _Wording | None:
    has_history = context.history and not context.query_items
    return _Wording("history") if has_history else None


def _words(context: ReasonContext, number: int, _part: Contribution) -> _Wording | None:
    if not context.text or context.catalogue is None:
        return None
    if number not in context.words:
        context.words[number] = matched_words(context.catalogue, number, context.text)
    words = context.words[number]
    return _Wording("words", words=words) if words else None


def _search(context: ReasonContext, _number: int, _part: Contribution) -> _Wording | None:
    return _Wording("search") if context.text else None


def _near_top(
    context: ReasonContext, number: int, part: Contribution, *, in_context: bool = False
) -> _Wording | None:
    """Whether an item is near the top, by the model and by the log; now, or over all time."""
    segment = context.context if in_context else ""
    if not 0 <= part.rank <= context.limits.rank or (in_context and not segment):
        return None
    suffix = "_in" if segment else ""
    if np.isin(number, context.evidence.popular_now.get(segment, ())):
        return _Wording(f"popular_now{suffix}")
    is_popular = np.isin(number, context.evidence.popular_ever.get(segment, ()))
    return _Wording(f"popular_ever{suffix}") if is_popular else None


def _others(context: ReasonContext, number: int, _part: Contribution) -> _Wording | None:
    row_ends = context.evidence.users_by_item.indptr
    is_known = 0 <= number < len(row_ends) - 1
    if is_known and row_ends[number + 1] - row_ends[number] > 1 + context.n_erased:
        return _Wording("others")
    chosen = is_known and context.evidence.others_chose(number, context.user, context.alive)
    return _Wording("others") if chosen else None


def _always(key: str, _context: ReasonContext, _number: int, _part: Contribution) -> _Wording:
    """A sentence that needs no evidence."""
    return _Wording(key)


_Check = Callable[[ReasonContext, int, Contribution], _Wording | None]

_CHECKS: Mapping[Claim, _Check] = {
    Claim.AGAIN: _again,
    Claim.BECAUSE: _because,
    Claim.TOGETHER: _together,
    Claim.SIMILAR: _similar,
    Claim.ALIKE: _alike,
    Claim.GOES_WITH: _goes_with,
    Claim.HISTORY: _history,
    Claim.WORDS: _words,
    Claim.SEARCH: _search,
    Claim.POPULAR: _near_top,
    Claim.POPULAR_IN: partial(_near_top, in_context=True),
    Claim.OTHERS: _others,
    Claim.INTEREST: partial(_always, Claim.INTEREST),
    Claim.PINNED: partial(_always, "pinned"),
}
