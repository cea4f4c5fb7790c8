"""Filter expressions of requests and rules, such as `category == "lamps" and price < 20`.

No code is executed: `plait.ranking.filters.parser` parses, `plait.ranking.filters.evaluation`
compares columns. A mask is cached for the lifetime of a version of the catalogue.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from weakref import WeakKeyDictionary

from plait.data.array_types import BoolArray
from plait.data.catalogue import Catalogue
from plait.ranking.filters.evaluation import evaluate
from plait.ranking.filters.parser import Node, parse_filter
from plait.utils.text_cache import text_cache

__all__ = ["Filter", "compile_filter"]

MASKS_KEPT = 64
"""How many masks are cached for one version of a catalogue."""

_masks: WeakKeyDictionary[Catalogue, OrderedDict[str, BoolArray]] = WeakKeyDictionary()
_lock = Lock()


@dataclass(frozen=True, slots=True)
class Filter:
    """A parsed expression.

    Attributes:
        text: The expression.
        tree: Its syntax tree.
    """

    text: str
    tree: Node

    def mask(self, catalogue: Catalogue) -> BoolArray:
        """The entries that match.

        Args:
            catalogue: N entries.

        Returns:
            bool [N], read-only.

        Raises:
            FilterError: A field is unknown or has another type.
        """
        with _lock:
            cache = _masks.setdefault(catalogue, OrderedDict())
            mask = cache.get(self.text)
            if mask is not None:
                cache.move_to_end(self.text)
                return mask
        mask = evaluate(self.tree, catalogue)
        mask.setflags(write=False)
        with _lock:
            cache[self.text] = mask
            while len(cache) > MASKS_KEPT:
                cache.popitem(last=False)
        return mask


@text_cache(512)
def compile_filter(text: str) -> Filter:
    """Parse an expression.

    Args:
        text: The expression.

    Raises:
        FilterError: The expression does not parse; the message gives the position.
    """
    return Filter(text, parse_filter(text))
