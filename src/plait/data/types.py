"""The values that travel through Plait, under one roof.

Three kinds of id never mix. *Outside ids* are strings and live at the border. *Numbers* are int32,
given once by the log and never reused. *Rows* are a stage's own business.
"""

from __future__ import annotations

from plait.data.arrays import ABSENT, BoolArray, Float32Array, Int32Array, Int64Array
from plait.data.candidates import CandidateLists
from plait.data.dataset import Dataset, Interactions, Triples, event_type_weights
from plait.data.event import NOW, Event, RecordType
from plait.data.history import History
from plait.data.query import Query, QueryBatch
from plait.data.state import State, StateView

__all__ = [
    "ABSENT",
    "NOW",
    "BoolArray",
    "CandidateLists",
    "Dataset",
    "Event",
    "Float32Array",
    "History",
    "Int32Array",
    "Int64Array",
    "Interactions",
    "Query",
    "QueryBatch",
    "RecordType",
    "State",
    "StateView",
    "Triples",
    "event_type_weights",
]
