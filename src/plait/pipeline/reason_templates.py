"""Declares the claims of a model's explanations."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from enum import StrEnum

from plait.errors import InputError

__all__ = [
    "LANGUAGES",
    "LANGUAGE_NAMES",
    "PLACEHOLDERS",
    "Claim",
    "ReasonTemplates",
    "check_placeholders",
]

PLACEHOLDERS = (
    *("item", "because", "query_item", "field", "value", "words", "context", "model", "count"),
)
"""What a sentence of one's own may contain, in braces."""

_PLACEHOLDER = re.compile(r"\{(\w+)\}")

LANGUAGES = ("en", "de", "fr", "es", "zh")
"""The languages that sentences come in."""

LANGUAGE_NAMES = {
    "english": "en",
    "german": "de",
    "deutsch": "de",
    "french": "fr",
    "français": "fr",
    "francais": "fr",
    "spanish": "es",
    "español": "es",
    "espanol": "es",
    "chinese": "zh",
    "中文": "zh",
}
"""The code of each by the names that people write."""


class Claim(StrEnum):
    """What a model can say of an item; the step `explain` has the sentences.

    A claim is written only if the log bears it out; otherwise the next one is tried.

    Attributes:
        AGAIN: The user bought, viewed or rated the item before.
        BECAUSE: The user bought, viewed or rated the item that weighs most.
        TOGETHER: Many users bought (viewed, rated) both this item and the one of the query.
        SIMILAR: The item shares a field value or a word of the title with the one that weighs most.
        ALIKE: The item agrees in a field with the one that weighs most.
        GOES_WITH: The item may go with the one that weighs most, or with that of the query.
        HISTORY: The item fits what the user did.
        WORDS: Words of the query occur in the item.
        SEARCH: The item fits the text of the query.
        POPULAR: The item is near the top of what is popular now, or else over all time.
        POPULAR_IN: The same among the users who share the value of the context field.
        OTHERS: Another user chose the item.
        INTEREST: Nothing more than that the item may be of interest.
        PINNED: The rules of the recipe pin the item.
    """

    AGAIN = "again"
    BECAUSE = "because"
    TOGETHER = "together"
    SIMILAR = "similar"
    ALIKE = "alike"
    GOES_WITH = "goes_with"
    HISTORY = "history"
    WORDS = "words"
    SEARCH = "search"
    POPULAR = "near_top"
    POPULAR_IN = "near_top_in"
    OTHERS = "others"
    INTEREST = "interest"
    PINNED = "pinned"


@dataclass(frozen=True, slots=True)
class ReasonTemplates:
    """What explains that a model stands for an item, by what the explanation rests on.

    Each is a `Claim`, which `explain` words in the language of the query, several claims, of which
    the first true one is taken, or a sentence of the model's own, which holds in every language.
    An empty one does not apply; then the next that applies is taken, `default` last. A sentence may
    contain `{item}`, the title of the explained item; `{because}`, that of the item of the history
    or the query that weighs most; `{field}` and `{value}`, a field in which the two agree;
    `{words}`, the text of the query; `{context}`, the value of the query's context field;
    `{query_item}`, the title of an item that the query starts from; `{model}`, the name of the
    model.

    Attributes:
        same_item: The item is in the history itself.
        query_item: The most important item is one that the query starts from.
        shared_value: The most important item agrees with this one in a field.
        history_item: The most important item is in the history.
        text: No single item is most important, and the query has text.
        like_query_item: No single item is most important, and the query starts from items.
        context: No single item is most important, and the context field has a value.
        default: None of these applies.
    """

    same_item: Claim | tuple[Claim, ...] | str = Claim.AGAIN
    query_item: Claim | tuple[Claim, ...] | str = (Claim.ALIKE, Claim.GOES_WITH)
    shared_value: Claim | tuple[Claim, ...] | str = Claim.BECAUSE
    history_item: Claim | tuple[Claim, ...] | str = Claim.BECAUSE
    text: Claim | tuple[Claim, ...] | str = ""
    like_query_item: Claim | tuple[Claim, ...] | str = Claim.GOES_WITH
    context: Claim | tuple[Claim, ...] | str = ""
    default: Claim | tuple[Claim, ...] | str = Claim.HISTORY

    def __post_init__(self) -> None:
        for part in fields(self):
            template = getattr(self, part.name)
            if isinstance(template, str) and not isinstance(template, Claim):
                check_placeholders(template, part.name)


def check_placeholders(template: str, field: str) -> None:
    """Check that a sentence has no placeholder that nothing stands for.

    Args:
        template: The sentence.
        field: What holds it, for the message.

    Raises:
        InputError: If a placeholder is unknown.
    """
    names = _PLACEHOLDER.findall(template)
    unknown = next((name for name in names if name not in PLACEHOLDERS), None)
    if unknown is not None:
        known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        message = f"{field} is {template!r}, in which nothing stands for {{{unknown}}}"
        raise InputError(message, hint=f"there are {known}", field=field)
