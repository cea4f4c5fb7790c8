"""The values that travel through Plait, under one roof.

Three kinds of id never mix. *Outside ids* are strings and live at the border. *Numbers* are int32,
given once by the log and never reused. *Rows* are a stage's own business.
"""

from __future__ import annotations

from plait.core.dataset import Dataset, Facts, Interactions, kind_weights
from plait.core.event import NOW, Event, EventType
from plait.core.history import History
from plait.core.items import Items
from plait.core.live import Live, State
from plait.core.numbers import ABSENT, Bools, Floats, Longs, Numbers
from plait.core.query import Queries, Query

__all__ = [
    "ABSENT",
    "NOW",
    "Bools",
    "Dataset",
    "Event",
    "EventType",
    "Facts",
    "Floats",
    "History",
    "Interactions",
    "Items",
    "Live",
    "Longs",
    "Numbers",
    "Queries",
    "Query",
    "State",
    "kind_weights",
]
