"""Words that link others and name nothing, by language: articles, prepositions, conjunctions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from plait.features.text_folding import fold

__all__ = ["function_words_of"]

_WORDS = {
    "english": "a an and are as at by for from in into is of on or per that the this to with "
    "without",
    "german": "als am an auf aus bei das dem den der des die ein eine einem einen einer eines für "
    "im in ist mit nach oder ohne und vom von zu zum zur",
    "french": "à au aux avec dans de des du en et la le les ou par pour sans sur un une",
    "spanish": "a al con de del e el en la las los o para por sin un una y",
    "italian": "a al alla con da dal dalla dei del della di e gli i il in la le lo o per senza "
    "un una",
    "portuguese": "a ao as com da das de do dos e em na no o os ou para por sem um uma",
    "dutch": "aan de een en het in met of op te uit van voor zonder",
    "danish": "af den det en et for fra i med og på til uden",
    "norwegian": "av den det en et for fra i med og på til uten",
    "swedish": "av den det en ett för från i med och på till utan",
    "russian": "без в для до и из к на от по с у",
}


@cache
def function_words_of(languages: Sequence[str]) -> frozenset[str]:
    """List the function words of some languages.

    Args:
        languages: A tuple of their names, as tantivy has them.

    Returns:
        Folded words; none of a language that is not known.
    """
    return frozenset(
        fold(word) for language in languages for word in _WORDS.get(language, "").split()
    )
