"""What a query probably meant: words of it that models read as other words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from plait.data.query_batch import QueryBatch
from plait.pipeline.stage import Stage

__all__ = ["QueryCorrector", "probable_texts"]


@runtime_checkable
class QueryCorrector(Protocol):
    """A model that reads unknown words of a query as similar ones."""

    def corrections(self, queries: QueryBatch) -> Sequence[Mapping[str, str]]:
        """Say how words were read.

        Args:
            queries: B queries, those that were answered.

        Returns:
            By query the words that stand for others, in lower case, with the likeliest of these.
        """


def probable_texts(models: Sequence[Stage], queries: QueryBatch) -> list[str]:
    """Write each query as it was probably meant.

    Args:
        models: The models that answered; the first that corrects words is asked.
        queries: B queries.

    Returns:
        By query its text with corrected words; "" if no word was corrected.
    """
    corrector = None
    if any(queries.texts):
        corrector = next((model for model in models if isinstance(model, QueryCorrector)), None)
    if corrector is None:
        return [""] * len(queries.users)
    corrections = corrector.corrections(queries)
    return [
        _rewritten(text or "", words)
        for text, words in zip(queries.texts, corrections, strict=True)
    ]


def _rewritten(text: str, corrections: Mapping[str, str]) -> str:
    """The text with other words; "" if none of them is in it as it is typed."""
    rewritten = text
    for word, other in corrections.items():
        pattern = rf"(?<!\w){re.escape(word)}(?!\w)"
        escaped = other.replace("\\", r"\\")
        rewritten = re.sub(pattern, escaped, rewritten, flags=re.IGNORECASE)
    return rewritten if rewritten != text else ""
