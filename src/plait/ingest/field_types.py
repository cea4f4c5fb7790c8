"""Infers the types of new fields from rows of the whole source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from plait.data.catalogue import FieldType
from plait.data.types import Event, RecordType
from plait.ingest.column_notation import ColumnSurvey
from plait.ingest.column_roles import ColumnRoles
from plait.ingest.extra_fields import fields_of
from plait.ingest.nested_columns import NestedChunk
from plait.ingest.row_chunk import DictChunk, FrameChunk, RowChunk
from plait.ingest.row_errors import RowErrors
from plait.schema.schema import Schema

__all__ = ["infer_field_types"]

_STEP = 10
"""One row in so many is looked at."""


def infer_field_types(
    chunks: Iterable[RowChunk], entity: RecordType, roles: ColumnRoles, survey: ColumnSurvey
) -> Mapping[tuple[str, str], FieldType]:
    """Infer the types of the fields that have none yet, from every tenth row of a source.

    Args:
        chunks: All rows of the source.
        entity: Whose fields they are.
        roles: What the columns are.
        survey: How times and amounts are written, and the types that are known.

    Returns:
        The types by (entity, field name).
    """
    known: dict[tuple[str, str], FieldType] = {
        (entity, name): kind for name, kind in survey.types_of(roles).items()
    }
    if entity == "fact":
        return {}
    events = []
    for chunk in chunks:
        rows = _every_tenth(chunk)
        texts = fields_of(rows, roles, RowErrors(rows, roles.name), survey)
        events += [Event(entity, "", "put", fields=text) for text in texts if text is not None]
    learned = Schema(known).learn(events)
    return {key: kind for key, kind in learned.types.items() if key not in known}


def _every_tenth(chunk: RowChunk) -> RowChunk:
    if isinstance(chunk, NestedChunk):
        thinned = _every_tenth(chunk.chunk)
        assert isinstance(thinned, DictChunk)
        return replace(chunk, chunk=thinned)
    indices = np.flatnonzero(chunk.rows % _STEP == 0)
    rows = chunk.rows[indices]
    if isinstance(chunk, FrameChunk):
        return replace(chunk, frame=chunk.frame[indices], rows=rows, notes=[])
    if isinstance(chunk, DictChunk):
        return replace(
            chunk, dicts=[chunk.dicts[index] for index in indices.tolist()], rows=rows, notes=[]
        )
    return chunk
