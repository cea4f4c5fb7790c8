"""Gathers all value types in one module.

Three kinds of id are kept apart. *External ids* are strings, used in requests, files and the log.
*Item numbers* and *user numbers* are int32, given once by the log and never reused. *Rows* are
indices into the arrays of one stage.
"""

from __future__ import annotations

from plait.data.array_types import ABSENT, BoolArray, Float32Array, Int32Array, Int64Array
from plait.data.candidates import CandidateLists
from plait.data.dataset import Dataset, Interactions, Triples, event_type_weights
from plait.data.event import NOW, Event, RecordType
from plait.data.history import History
from plait.data.query import Query
from plait.data.query_batch import QueryBatch
from plait.data.state_view import State, StateView

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
