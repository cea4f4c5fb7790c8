"""Stems of words in several languages at once, by tantivy's stemmers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache

import tantivy

from plait.features.text import LONGEST_TERM

__all__ = ["COMPOUNDING", "Stemmers"]

COMPOUNDING = frozenset({"german", "dutch", "danish", "swedish", "norwegian", "finnish"})
"""Languages that write compounds as one word."""

_BY_SCRIPT = {
    "arabic": range(0x600, 0x700),
    "greek": range(0x370, 0x400),
    "russian": range(0x400, 0x530),
    "tamil": range(0xB80, 0xC00),
}
"""Languages of a script of their own: their stemmers leave words of other scripts alone."""

_LAST_LATIN = 0x24F


class Stemmers:
    """The stemmers of the languages of a catalogue.

    Args:
        languages: Their names, as tantivy has them; none: words stay as they are.
    """

    def __init__(self, languages: Sequence[str]) -> None:
        self.languages = tuple(languages)
        self.stems = lru_cache(maxsize=1 << 17)(self._stems)

    def _stems(self, word: str) -> tuple[str, ...]:
        """The distinct stems of a folded word; a word with a digit has itself as its only stem."""
        first = ord(word[0])
        if word[0].isdigit() or len(word) < 3:
            return (word,)
        languages = [
            language
            for language in self.languages
            if first in _BY_SCRIPT.get(language, range(_LAST_LATIN + 1))
        ]
        stems = [stem for language in languages for stem in _analyzer(language).analyze(word)]
        return tuple(dict.fromkeys(stems)) or (word,)


@cache
def _analyzer(language: str) -> tantivy.TextAnalyzer:
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.raw())
    builder = builder.filter(tantivy.Filter.remove_long(LONGEST_TERM))
    return builder.filter(tantivy.Filter.stemmer(language)).build()
