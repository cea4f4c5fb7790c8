"""Decides how a source writes its times and amounts, one decision for each column.

The rows that come first decide where they leave no doubt. Where they do not, the rows that follow
are looked at before the first is taken, so that the outcome does not depend on where a chunk ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal, cast

import polars as pl

from plait.data.catalogue import FieldType
from plait.ingest.column_mapping import ColumnMapping
from plait.ingest.column_parsers import parse_event_types
from plait.ingest.column_roles import ColumnRoles
from plait.ingest.decimal_columns import currencies_in, survey_decimals
from plait.ingest.numeric_dates import (
    NumericReading,
    TimeEvidence,
    may_hold_excel_days,
    survey_times,
)
from plait.ingest.row_chunk import RawColumn, RowChunk
from plait.ingest.source_notes import ImportNote
from plait.ingest.time_formats import has_separator, numbers_as_texts, wall_times
from plait.schema.inference import infer_type, is_code, is_set_name
from plait.utils.number_texts import Decimal, DecimalEvidence

__all__ = ["Ahead", "ColumnSurvey"]

Ahead = Callable[[], Iterable[RowChunk]]
"""Gives the rows that follow those at hand, without taking them."""

_Numbers = Decimal | Literal["each", "none"]
"""How amounts are read: with a decimal separator, each text by its one meaning, or not at all."""

_NEARLY_ALL = 0.95
_SAMPLE = 1000


class ColumnSurvey:
    """Follows one source.

    Args:
        mapping: What is declared of it.
        types: The types of the fields that the log knows or the mapping declares, by field name.

    Attributes:
        notes: What was found since `take_notes` and is worth knowing.
        absent_kinds: Names on the left side of the mapping's `kinds` that no row has so far.
        unmapped_kinds: Names of rows that the mapping does not mention.
    """

    def __init__(self, mapping: ColumnMapping, types: Mapping[str, str]) -> None:
        self.mapping = mapping
        self._types = types
        self._readings: dict[str, NumericReading] = {}
        self._numbers: dict[str, _Numbers] = {}
        self._times: dict[str, bool] = {}
        self.notes: list[ImportNote] = []
        self.absent_kinds = {name.strip().lower() for name in mapping.kinds}
        self.unmapped_kinds: set[str] = set()
        self._mapped_kinds = {*self.absent_kinds, *mapping.kinds.values(), ""}

    def note_kinds(self, column: RawColumn) -> None:
        """Take up which names of event types the rows have.

        Args:
            column: The column of event types.
        """
        if self.absent_kinds:
            names = {*parse_event_types(column, {}, "").values.unique().to_list()}
            self.absent_kinds -= names
            self.unmapped_kinds |= names - self._mapped_kinds

    def examine(self, chunk: RowChunk, roles: ColumnRoles, ahead: Ahead) -> None:
        """Look at the columns that are not decided yet.

        Args:
            chunk: The rows that are taken next.
            roles: What the columns are.
            ahead: Gives the rows after them; called only where these rows leave a doubt.
        """
        time, value = roles.roles.get("time", ""), roles.roles.get("value", "")
        if time:
            self._examine_times(time, chunk, ahead)
        if value:
            self._examine_numbers(value, "number", chunk, ahead)
        for column, name in roles.fields:
            kind = self.type_of(name, roles)
            if column in roles.mapping.split or column in (time, value):
                continue
            if kind == "time":
                self._examine_times(column, chunk, ahead)
            elif kind == "number" or (kind == "" and not (is_code(name) or is_set_name(name))):
                self._examine_numbers(column, kind, chunk, ahead)
            if kind == "" and column not in self._times:
                self._examine_format(column, name, chunk)

    def types_of(self, roles: ColumnRoles) -> dict[str, FieldType]:
        """Return the types that fields have before their values are looked at, by name.

        Args:
            roles: What the columns are.
        """
        return cast(dict[str, FieldType], {**self._types, **roles.types})

    def type_of(self, name: str, roles: ColumnRoles) -> str:
        """Return the type that a field has before its values are looked at; "" if it has none.

        Args:
            name: The field.
            roles: What the columns are.
        """
        return roles.types.get(name, "") or self._types.get(name, "")

    def reading(self, column: str) -> NumericReading:
        """Return what the numbers of a column of times count.

        Args:
            column: The column.
        """
        return self._readings.get(column, "unix")

    def numbers(self, column: str) -> _Numbers:
        """Return how the amounts of a column are read.

        Args:
            column: The column.
        """
        return self._numbers.get(column, "none")

    def is_time(self, column: str) -> bool:
        """Return whether a field without a type holds times, by the formats of the mapping.

        Args:
            column: The column.
        """
        return self._times.get(column, False)

    def take_notes(self) -> list[ImportNote]:
        """Return what was decided since the last call and is worth knowing."""
        notes, self.notes = self.notes, []
        return notes

    def _examine_times(self, column: str, chunk: RowChunk, ahead: Ahead) -> None:
        if column in self._readings:
            return
        formats = self.mapping.time_format
        if formats and not may_hold_excel_days(chunk.raw(column)):
            return
        evidence = survey_times(chunk.raw(column), formats)
        if evidence.reading in ("calendar", "excel"):
            for later in ahead():
                evidence += survey_times(later.raw(column), formats)
        if formats and evidence.reading != "excel":  # numbers have a format, or are refused
            self._readings[column] = "unix"
        elif evidence.reading is not None:
            self._readings[column] = evidence.reading
            self._note_reading(column, evidence)

    def _note_reading(self, column: str, evidence: TimeEvidence) -> None:
        if evidence.reading == "calendar":
            message = "its numbers are read as the digits of a date, such as 20220408"
        elif evidence.reading == "excel":
            message = "its numbers are read as days of a spreadsheet, counted from 1899-12-30"
        else:
            return
        message += '; a mapping may say otherwise: time_format = ["%s"] for seconds since 1970'
        self.notes.append(ImportNote("days-as-numbers", column, message, evidence.numbers))

    def _examine_numbers(self, column: str, kind: str, chunk: RowChunk, ahead: Ahead) -> None:
        if column in self._numbers:
            return
        evidence = survey_decimals(chunk.raw(column))
        if self.mapping.decimal:
            if evidence.are_numbers or kind:
                self._numbers[column] = "," if self.mapping.decimal == "," else "."
            elif evidence.others:
                self._numbers[column] = "none"
            return
        if evidence.either and evidence.decimal is None and (evidence.are_numbers or kind):
            for later in ahead():
                evidence += survey_decimals(later.raw(column))
        decided = self._decide(evidence, kind)
        if decided is not None:
            self._numbers[column] = decided
            self._note_numbers(column, decided, evidence)
            currencies = currencies_in(chunk.raw(column)) if decided != "none" else []
            if len(currencies) > 1:
                message = (
                    f"its amounts are in several currencies ({', '.join(currencies[:5])}), which "
                    "are read as if they were one; give each a column of its own"
                )
                self.notes.append(ImportNote("mixed-currencies", column, message))

    @staticmethod
    def _decide(evidence: DecimalEvidence, kind: str) -> _Numbers | None:
        """How to read a column; None if nothing is known yet."""
        if not evidence.are_numbers and not kind:
            return "none" if evidence.others else None
        if evidence.is_mixed:
            return "each" if kind or not evidence.either else "none"
        if evidence.decimal is None and evidence.decorated and evidence.either:
            return "each" if kind else "none"
        if evidence.decimal is None and not evidence.either and not evidence.decorated:
            return None
        return evidence.decimal or "."

    def _note_numbers(self, column: str, decided: _Numbers, evidence: DecimalEvidence) -> None:
        if not evidence.decorated or not evidence.are_numbers:
            return
        count = evidence.decorated
        if decided == ",":
            message = 'its numbers are read with a decimal comma; a mapping may say: decimal = "."'
            self.notes.append(ImportNote("decimal-comma", column, message, count))
        elif decided in (".", "each") and not (decided == "each" and evidence.either):
            message = "its amounts are read as numbers, without currency signs and separators"
            self.notes.append(ImportNote("amounts-as-numbers", column, message, count))
        else:
            message = (
                f"{evidence.example!r} has two meanings, so such values are no numbers; "
                'say in a mapping what separates decimals: decimal = "," or decimal = "."'
            )
            self.notes.append(ImportNote("ambiguous-decimals", column, message, evidence.either))

    def _examine_format(self, column: str, name: str, chunk: RowChunk) -> None:
        """Whether a field without a type holds times in a format, or local times."""
        formats = [pattern for pattern in self.mapping.time_format if has_separator(pattern)]
        if not formats and not self.mapping.timezone:
            self._times[column] = False
            return
        raw = chunk.raw(column)
        if isinstance(raw, pl.Series) and isinstance(raw.dtype, pl.Datetime):
            self._times[column] = True
            return
        texts = numbers_as_texts(raw).drop_nulls()
        if not len(texts):
            return
        matched = pl.repeat(False, len(texts), eager=True)
        for pattern in formats:
            matched = matched | wall_times(texts, pattern).is_not_null()
        sample = texts.head(_SAMPLE).to_list()
        has_clock = all(":" in text for text in sample)
        self._times[column] = bool(matched.sum() >= _NEARLY_ALL * len(texts)) or (
            bool(self.mapping.timezone) and has_clock and infer_type(name, sample) == "time"
        )
