"""The language of a catalogue's text, by py3langid (Lui and Baldwin, 2012), for the stemmer."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any, Literal

import numpy as np

from plait.data.catalogue import Catalogue

__all__ = [
    "AUTO",
    "FALLBACK",
    "Language",
    "detect_language",
    "detect_languages",
    "resolve_language",
]

Language = Literal[
    "auto",
    "",
    "arabic",
    "danish",
    "dutch",
    "english",
    "finnish",
    "french",
    "german",
    "greek",
    "hungarian",
    "italian",
    "norwegian",
    "portuguese",
    "romanian",
    "russian",
    "spanish",
    "swedish",
    "tamil",
    "turkish",
]
"""The stemmers of tantivy, "" for none, and "auto"."""

AUTO: Language = "auto"
"""The setting that leaves the choice of the stemmer to the text of the catalogue."""

FALLBACK: Language = "english"
"""The stemmer of a catalogue whose text is too short to tell."""

_STEMMERS: dict[str, Language] = {
    "ar": "arabic",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "fi": "finnish",
    "fr": "french",
    "hu": "hungarian",
    "it": "italian",
    "nl": "dutch",
    "no": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
}
"""The stemmers of tantivy by ISO 639-1 code."""

_UNSTEMMED = ("cs", "he", "hi", "ja", "ko", "pl", "th", "uk", "vi", "zh")
"""Languages without a stemmer that shops are written in; their words stay as they are."""

_SAMPLE = 300
_SAMPLE_CHARACTERS = 200

_MIN_CHARACTERS = 40
_MIN_SHARE = 0.15
_MIN_TEXTS = 5
_MOST_LANGUAGES = 4
"""Of at most 300 items the first 200 characters of each text field are read."""

_MIN_LEAD = 8.0
"""How far the best language must lead, in natural logarithms of its probability."""


def resolve_language(setting: Language, catalogue: Catalogue) -> Language:
    """The stemmer to use.

    Args:
        setting: A stemmer of tantivy, "" for none, or "auto".
        catalogue: The items.

    Returns:
        The setting, or the detected language in place of "auto".
    """
    return detect_language(catalogue) if setting == AUTO else setting


def detect_language(catalogue: Catalogue) -> Language:
    """Detect the language of the text fields of living items.

    Args:
        catalogue: The items.

    Returns:
        The stemmer as tantivy names it; "" for a language without one; "english" where the items
        have too little text to tell.
    """
    columns = [column for column in catalogue.columns.values() if column.type == "text"]
    numbers = np.flatnonzero(catalogue.alive)
    sample = numbers[np.linspace(0, len(numbers) - 1, min(len(numbers), _SAMPLE)).astype(int)]
    values = (column.get(number) for number in sample.tolist() for column in columns)
    text = "\n".join(str(value)[:_SAMPLE_CHARACTERS].lower() for value in values if value)
    if not text:
        return FALLBACK
    language = _language(text)
    return FALLBACK if language is None else language


def detect_languages(catalogue: Catalogue) -> tuple[Language, ...]:
    """Detect the languages that a catalogue is written in, each field on its own.

    A title is too short to tell its language alone; of those long enough, a language that a share
    of them has counts beside that of the field.

    Args:
        catalogue: The items.

    Returns:
        The stemmers as tantivy names them, the most frequent first; none for languages without
        one; "english" where the items have too little text to tell.
    """
    numbers = np.flatnonzero(catalogue.alive)
    sample = numbers[np.linspace(0, len(numbers) - 1, min(len(numbers), _SAMPLE)).astype(int)]
    languages: Counter[Language] = Counter()
    for column in catalogue.columns.values():
        if column.type != "text":
            continue
        values = [column.get(number) for number in sample.tolist()]
        texts = [str(value)[:_SAMPLE_CHARACTERS].lower() for value in values if value]
        if not texts:
            continue
        whole = _language("\n".join(texts))
        languages[FALLBACK if whole is None else whole] += len(texts)
        long_texts = [text for text in texts if len(text) >= _MIN_CHARACTERS]
        counts = Counter(map(_language, long_texts))
        for language, count in counts.items():
            if language and count >= max(_MIN_SHARE * len(texts), _MIN_TEXTS):
                languages[language] += count
    if not languages:
        return (FALLBACK,)
    ordered = [language for language, _ in languages.most_common(_MOST_LANGUAGES) if language]
    return tuple(ordered)


def _language(text: str) -> Language | None:
    """The language of a text as `detect_language` names it; None where it is uncertain."""
    (best, lead), (_, second), *_ = _identifier().rank(text)
    return _STEMMERS.get(best, "") if lead - second >= _MIN_LEAD else None


@cache
def _identifier() -> Any:
    """A classifier of text; the first call reads its model, which takes a second."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    identifier.set_languages([*_STEMMERS, *_UNSTEMMED])
    return identifier
