"""The values that travel through Plait, under one roof.

Three kinds of id never mix. *Outside ids* are strings and live at the border. *Numbers* are int32,
given once by the log and never reused. *Rows* are a stage's own business.
"""

from __future__ import annotations

from plait.data.arrays import ABSENT, Bools, Floats, Longs, Numbers
from plait.data.candidates import Items
from plait.data.dataset import Dataset, Facts, Interactions, kind_weights
from plait.data.event import NOW, Event, EventType
from plait.data.history import History
from plait.data.query import Queries, Query
from plait.data.state import Live, State

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
