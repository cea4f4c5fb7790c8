"""Stems of words in several languages at once, by tantivy's stemmers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

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

_IRREGULAR = {
    "calves": "calf",
    "children": "child",
    "elves": "elf",
    "feet": "foot",
    "geese": "goose",
    "halves": "half",
    "hooves": "hoof",
    "knives": "knife",
    "leaves": "leaf",
    "loaves": "loaf",
    "men": "man",
    "mice": "mouse",
    "scarves": "scarf",
    "shelves": "shelf",
    "teeth": "tooth",
    "wives": "wife",
    "wolves": "wolf",
    "women": "woman",
}
"""English plurals that stemmers leave apart from their singulars."""

_LAST_LATIN = 0x24F

_ARABIC_ARTICLES = ("وال", "بال", "كال", "فال", "لل", "ال")
"""What Arabic writes as one with the word behind it: "the", "and the", "with the"."""
_MIN_ARABIC = 3
"""The fewest letters of a word behind an article."""


class Stemmers:
    """The stemmers of the languages of a catalogue.

    Args:
        languages: Their names, as tantivy has them; none: words stay as they are.
    """

    def __init__(self, languages: Sequence[str]) -> None:
        self.languages = tuple(languages)
        self.stems = lru_cache(maxsize=1 << 17)(self._stems)

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy has a cache of its own."""
        return Stemmers, (self.languages,)

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
        forms = [word]
        if self.languages and first in _BY_SCRIPT["arabic"]:
            forms += _without_article(word)
        if "english" in languages and word in _IRREGULAR:
            forms.append(_IRREGULAR[word])
        stems = [
            stem
            for form in forms
            for language in languages
            for stem in _analyzer(language).analyze(form)
        ]
        return tuple(dict.fromkeys(stems or forms))


def _without_article(word: str) -> list[str]:
    """An Arabic word without its article; none if it has no article."""
    article = next((a for a in _ARABIC_ARTICLES if word.startswith(a)), "")
    is_noun = bool(article) and len(word) - len(article) >= _MIN_ARABIC
    return [word[len(article) :]] if is_noun else []


@cache
def _analyzer(language: str) -> tantivy.TextAnalyzer:
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.raw())
    builder = builder.filter(tantivy.Filter.remove_long(LONGEST_TERM))
    return builder.filter(tantivy.Filter.stemmer(language)).build()
