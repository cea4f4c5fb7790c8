"""Checks English reasons against the log alone, never against what the models computed."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from plait.data.dataset import Dataset
from plait.utils.timestamps import DAY

__all__ = ["LogFacts", "Question", "false_claims"]

_LONGEST = 120
_LEAST_USERS = 3
_LEAST_TIMES = 3
_TOP_ITEMS = 50
_TOP_SHARE = 0.05
_NOW_DAYS = 28

_VERBS = {"bought": "purchase", "viewed": "view", "rated": "rating"}
"""The event type that each verb of a sentence stands for."""

_FIELD = r"(?: \((?P<field>[^:]+): (?P<value>.+)\))?"
_PATTERNS: Sequence[tuple[str, str]] = (
    ("before", r"You (?P<verb>bought|viewed|rated) this before"),
    ("often", r"You bought this (?P<count>\d+) times?"),
    ("returns", r"You come back to this"),
    ("known", r"You know this"),
    ("because", rf"Because you (?P<verb>bought|viewed|rated) “(?P<title>.+)”{_FIELD}"),
    ("because_any", rf"Because of “(?P<title>.+)”{_FIELD}"),
    ("because_unnamed", rf"Because of what you (?P<verb>bought|viewed|rated){_FIELD}"),
    ("session", rf"Because of what you looked for{_FIELD}"),
    ("together", r"Often (?P<verb>bought|viewed|chosen) together with “(?P<title>.+)”"),
    ("together", r"Often (?P<verb>bought|viewed|chosen) together with this item"),
    ("together", r"Often (?P<verb>rated) by the same people(?: as “(?P<title>.+)”)?"),
    ("similar", rf"Similar to “(?P<title>.+)”{_FIELD}"),
    ("similar", rf"Similar to an item you chose{_FIELD}"),
    ("goes_with", r"May go with (?:“(?P<title>.+)”|this item)"),
    ("history", r"Fits your history"),
    ("words", r"Matches “(?P<words>.+)”"),
    ("search", r"Fits your search"),
    ("popular_now", r"Popular right now(?:: (?P<segment>.+))?"),
    ("popular_ever", r"Popular overall(?:: (?P<segment>.+))?"),
    ("others", r"Others chose this too"),
    ("nothing", r"May be of interest|Chosen by the editors|From the catalogue|New here"),
    ("nothing", r"Also in .+"),
    ("others", r"Others chose this too: .+"),
)


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked, with external ids.

    Attributes:
        user: The user.
        items: The items that it started from.
        history: The items of the session.
        text: The words.
    """

    user: str | None = None
    items: tuple[str, ...] = ()
    history: tuple[str, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class LogFacts:
    """What a log says, as plain rows.

    Attributes:
        events: By user the (item, event type, time) of all that the user did.
        users: By item and event type the users.
        fields: The fields of every item.
        recent: By item how many different (user, day) there are in the last days of the log.
        ever: The same over all time.
    """

    events: Mapping[str, list[tuple[str, str, int]]]
    users: Mapping[tuple[str, str], set[str]]
    fields: Mapping[str, Mapping[str, Any]]
    recent: Counter[str] = field(default_factory=Counter)
    ever: Counter[str] = field(default_factory=Counter)

    @staticmethod
    def of(dataset: Dataset) -> LogFacts:
        """Read a snapshot of a log.

        Args:
            dataset: The snapshot, without weights.

        Returns:
            Its facts.
        """
        columns = dataset.interactions
        ids, names = dataset.catalogue.ids, dataset.users.ids
        events: dict[str, list[tuple[str, str, int]]] = defaultdict(list)
        users: dict[tuple[str, str], set[str]] = defaultdict(set)
        days: set[tuple[str, str, int]] = set()
        rows = (columns.users, columns.items, columns.event_types, columns.times)
        for user, item, event_type, time in zip(*(row.tolist() for row in rows), strict=True):
            kind = dataset.event_types[event_type]
            events[names[user]].append((ids[item], kind, time))
            users[ids[item], kind].add(names[user])
            users[ids[item], ""].add(names[user])
            days.add((ids[item], names[user], time // DAY if dataset.clock == "time" else 0))
        newest = int(columns.times.max(initial=0))
        since = newest - _NOW_DAYS * DAY
        recent = {
            (ids[item], names[user], time // DAY)
            for user, item, _, time in zip(*(row.tolist() for row in rows), strict=True)
            if dataset.clock == "time" and time > since
        }
        fields = {name: dataset.catalogue.fields(number) for number, name in enumerate(ids)}
        return LogFacts(
            events, users, fields, Counter(day[0] for day in recent), Counter(d[0] for d in days)
        )

    def title(self, item: str) -> str:
        """How an item is called, "" if it has no title.

        Args:
            item: The id.
        """
        text = re.sub(r"</?[A-Za-z][^<>]*>", " ", str(self.fields.get(item, {}).get("title") or ""))
        visible = (" " if unicodedata.category(c) == "Zs" else c for c in text)
        return " ".join(
            "".join(c for c in visible if unicodedata.category(c) not in ("Cc", "Cf")).split()
        )


def false_claims(
    facts: LogFacts, question: Question, item: str, reasons: Iterable[Mapping[str, Any]]
) -> list[str]:
    """Find what is wrong with the reasons of one item.

    Args:
        facts: The log.
        question: What was asked.
        item: The id of the item.
        reasons: Its reasons, in English.

    Returns:
        A line for each false or unfit sentence.
    """
    texts = [str(reason["text"]) for reason in reasons]
    problems = [f"twice: {text}" for text, count in Counter(texts).items() if count > 1]
    for reason, text in zip(reasons, texts, strict=True):
        problems += [f"{problem}: {text}" for problem in _unfit(facts, text)]
        for kind, pattern in _PATTERNS:
            match = re.fullmatch(pattern, text)
            if match:
                part = {name: value for name, value in match.groupdict().items() if value}
                claim = _Claim(facts, question, item, reason.get("because"), part)
                if not _JUDGES[kind](claim) or not claim.field_is_shared():
                    problems.append(f"false: {text}")
                break
        else:
            problems.append(f"unknown sentence: {text}")
    return problems


@dataclass(frozen=True, slots=True)
class _Claim:
    """One sentence, taken apart."""

    facts: LogFacts
    question: Question
    item: str
    because: str | None
    part: Mapping[str, str]

    @property
    def own(self) -> list[tuple[str, str, int]]:
        return self.facts.events.get(self.question.user or "", [])

    def did(self, item: str, kind: str = "") -> set[int]:
        """The times at which the user did something with an item."""
        return {time for name, event, time in self.own if name == item and kind in ("", event)}

    def named(self, items: Iterable[str]) -> list[str]:
        """Those of some items whose title, or id without one, is that of the sentence."""
        title = self.part.get("title")
        if title is None:
            return list(items)
        start = title.removesuffix("…") if title.endswith("…") else None
        names = ((item, self.facts.title(item) or item) for item in items)
        return [item for item, name in names if name == title or (start and name.startswith(start))]

    def known_items(self) -> set[str]:
        return {name for name, _, _ in self.own} | set(self.question.history)

    def field_is_shared(self) -> bool:
        """Whether the value in brackets is one of both items."""
        value = self.part.get("value")
        if value is None:
            return True
        sources = self.named(self.known_items() | set(self.question.items))
        return value in _values(self.facts.fields.get(self.item, {})) and any(
            value in _values(self.facts.fields.get(source, {})) for source in sources
        )

    def source_done(self) -> bool:
        kind = _VERBS[self.part["verb"]]
        return any(self.did(source, kind) for source in self.named(self.known_items()))

    def is_together(self) -> bool:
        kind = _VERBS.get(self.part["verb"], "")
        users = self.facts.users.get((self.item, kind), set())
        return any(
            len(users & self.facts.users.get((anchor, kind), set())) >= _LEAST_USERS
            for anchor in self.named(self.question.items)
        )

    def is_similar(self) -> bool:
        own = _words(self.facts.fields.get(self.item, {}))
        sources = self.named(self.known_items() | set(self.question.items))
        return any(own & _words(self.facts.fields.get(source, {})) for source in sources)

    def is_top(self, counts: Counter[str]) -> bool:
        size = min(_TOP_ITEMS, max(3, -(-int(len(counts) * _TOP_SHARE * 1000) // 1000)))
        better = sum(count > counts[self.item] for count in counts.values())
        return counts[self.item] > 0 and better < size

    def has_words(self) -> bool:
        return set(_folded(self.part["words"]).split()) <= _words(
            self.facts.fields.get(self.item, {}), shortest=1
        )


_JUDGES: Mapping[str, Callable[[_Claim], bool]] = {
    "before": lambda claim: bool(claim.did(claim.item, _VERBS[claim.part["verb"]])),
    "often": lambda claim: (
        _LEAST_TIMES <= int(claim.part["count"]) == len(claim.did(claim.item, "purchase"))
    ),
    "returns": lambda claim: (
        len({time // DAY for time in claim.did(claim.item, "view")}) >= _LEAST_TIMES
    ),
    "known": lambda claim: claim.item in claim.known_items(),
    "because": _Claim.source_done,
    "because_any": lambda claim: bool(claim.named(claim.known_items())),
    "because_unnamed": _Claim.source_done,
    "session": lambda claim: bool(claim.known_items()),
    "together": _Claim.is_together,
    "similar": _Claim.is_similar,
    "goes_with": lambda claim: bool(claim.named(claim.known_items() | set(claim.question.items))),
    "history": lambda claim: bool(claim.known_items()),
    "words": _Claim.has_words,
    "search": lambda claim: bool(claim.question.text),
    "popular_now": lambda claim: claim.is_top(claim.facts.recent),
    "popular_ever": lambda claim: claim.is_top(claim.facts.ever),
    "others": lambda claim: bool(
        claim.facts.users.get((claim.item, ""), set()) - {claim.question.user}
    ),
    "nothing": lambda _claim: True,
}


def _unfit(facts: LogFacts, text: str) -> list[str]:
    """Problems of a sentence of any claim."""
    problems = [] if len(text) <= _LONGEST else ["too long"]
    if any(unicodedata.category(letter) in ("Cc", "Cf") for letter in text) or "<" in text:
        problems.append("control characters or markup")
    quoted = re.findall("“(.+)”", text)
    if any(name in facts.fields and facts.title(name) for name in quoted):
        problems.append("an id in place of a title")
    return problems


def _values(fields: Mapping[str, Any]) -> set[str]:
    """Categories and members of sets."""
    values: set[str] = set()
    for value in fields.values():
        values.update(value if isinstance(value, tuple) else [str(value)])
    return values


def _words(fields: Mapping[str, Any], shortest: int = 3) -> set[str]:
    """The folded words of all fields."""
    text = " ".join(
        " ".join(value) if isinstance(value, tuple) else value
        for value in fields.values()
        if isinstance(value, str | tuple) and all(isinstance(part, str) for part in value)
    )
    words = re.findall(r"[^\W_]+", _folded(text))
    return {word for word in words if len(word) >= shortest or not word.isascii()}


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))
