"""Filter expressions of requests and rules, such as `category == "lamps" and price < 20`.

Nothing is executed: `plait.ranking.filters.parser` parses, `plait.ranking.filters.evaluation`
compares columns. A mask is computed once for a version of the catalogue and kept as long as that
version lives.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from plait.data.catalogue import Catalogue
from plait.ranking.filters.evaluation import evaluate
from plait.ranking.filters.parser import Node, parse_filter

__all__ = ["Filter", "compile_filter"]

MASKS_KEPT = 64
"""How many masks are kept for one version of a catalogue."""

_masks: WeakKeyDictionary[Catalogue, OrderedDict[str, npt.NDArray[np.bool_]]] = WeakKeyDictionary()
_lock = Lock()


@dataclass(frozen=True, slots=True)
class Filter:
    """A parsed expression; the same text gives the same filter."""

    text: str
    tree: Node

    def mask(self, catalogue: Catalogue) -> npt.NDArray[np.bool_]:
        """bool [N], read-only: which entries pass. FilterError if a field is unknown or unfit."""
        with _lock:
            kept = _masks.setdefault(catalogue, OrderedDict())
            found = kept.get(self.text)
            if found is not None:
                kept.move_to_end(self.text)
                return found
        found = evaluate(self.tree, catalogue)
        found.setflags(write=False)
        with _lock:
            kept[self.text] = found
            while len(kept) > MASKS_KEPT:
                kept.popitem(last=False)
        return found


@lru_cache(maxsize=512)
def compile_filter(text: str) -> Filter:
    """Parse an expression; FilterError says at which character it stops making sense."""
    return Filter(text, parse_filter(text))
