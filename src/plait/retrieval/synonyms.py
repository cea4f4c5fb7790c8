"""Synonyms of a shop: read from a file, and found in the words of a query."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from plait.errors import InputError
from plait.retrieval.stems import Stemmers
from plait.retrieval.tokens import tokenize

__all__ = ["Phrase", "SynonymTable", "read_synonyms"]

Phrase = tuple[str, ...]
"""The folded words of a term."""

_LONGEST = 5
"""The most words of a term."""

_MOST_PAIRS = 100_000
_ARROW = "=>"


def read_synonyms(path: str, field: str) -> tuple[tuple[Phrase, Phrase], ...]:
    """Read a file of synonyms.

    Each line has terms between commas that all mean the same, or terms, an arrow and what they
    stand for: `sofa, couch, settee` or `telly => television`. Lines that begin with # are comments.

    Args:
        path: The file, in UTF-8.
        field: The name of the setting, for messages.

    Returns:
        Pairs of a term of a query and a term of items that stands for it.

    Raises:
        InputError: If the file cannot be read, a line has no two terms, or a term is no word or
            longer than five words.
    """
    try:
        lines = Path(path).expanduser().read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as problem:
        raise InputError(
            f"{field}: cannot read {path}: {problem}",
            hint="a text file in UTF-8 with a line for each group: sofa, couch, settee",
            field=field,
        ) from problem
    pairs: dict[tuple[Phrase, Phrase], None] = {}
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.lstrip().startswith("#"):
            pairs |= dict.fromkeys(_pairs(line, f"{field}: line {number} of {path}", field))
        if len(pairs) > _MOST_PAIRS:
            raise InputError(
                f"{field}: {path} has more than {_MOST_PAIRS:,} pairs of synonyms",
                hint="shorter groups: a group of n terms has n (n - 1) pairs",
                field=field,
            )
    return tuple(pairs)


def _pairs(line: str, place: str, field: str) -> Iterator[tuple[Phrase, Phrase]]:
    """The pairs of a line; InputError for what is none."""
    left, arrow, right = line.partition(_ARROW)
    sources = [_phrase(term, place, field) for term in left.split(",")]
    targets = [_phrase(term, place, field) for term in right.split(",")] if arrow else sources
    if len(sources) < 2 and not arrow:
        raise InputError(
            f"{place} has one term, expected two or more",
            hint="sofa, couch or telly => television",
            field=field,
        )
    return ((source, target) for source in sources for target in targets if source != target)


def _phrase(term: str, place: str, field: str) -> Phrase:
    """The words of a term."""
    words = tuple(word for token in tokenize(term) for word in token.words)
    if not 1 <= len(words) <= _LONGEST:
        raise InputError(
            f"{place} has the term {term.strip()!r}, expected 1 to {_LONGEST} words",
            hint="terms stand between commas",
            field=field,
        )
    return words


class SynonymTable:
    """Synonyms by the stems of their words.

    Args:
        pairs: Pairs of a term of a query and a term of items.
        stemmers: The stemmers of the index.
    """

    def __init__(self, pairs: Sequence[tuple[Phrase, Phrase]], stemmers: Stemmers) -> None:
        self._stemmers = stemmers
        self._targets: dict[Phrase, dict[Phrase, None]] = {}
        for source, target in pairs:
            self._targets.setdefault(self._stems(source), {})[self._stems(target)] = None
        self._longest = max(map(len, self._targets), default=0)

    def matches(self, words: Sequence[str]) -> Iterator[tuple[Sequence[str], Phrase]]:
        """Find the terms of a query that have synonyms.

        Args:
            words: The words of a query, in order.

        Yields:
            Words that follow each other, and the stems of a term that stands for them.
        """
        for length in range(1, min(self._longest, len(words)) + 1):
            for start in range(len(words) - length + 1):
                part = words[start : start + length]
                for target in self._targets.get(self._stems(part), ()):
                    yield part, target

    def _stems(self, words: Sequence[str]) -> Phrase:
        return tuple(self._stemmers.stems(word)[0] for word in words)
