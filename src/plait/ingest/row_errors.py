"""Collects errors of rows and fields of a chunk, column by column."""

from __future__ import annotations

from typing import Any

import polars as pl

from plait.ingest.column_parsers import parse_ids
from plait.ingest.rejects import Rejected, shortened
from plait.ingest.row_chunk import RowChunk
from plait.ingest.scalar_parsers import EXPECTED

__all__ = ["RowErrors"]


class RowErrors:
    """Collects what is wrong with the rows of a chunk; the first error of a row is reported.

    Args:
        chunk: The rows.
        source: The name of their source.
    """

    def __init__(self, chunk: RowChunk, source: str) -> None:
        self._chunk = chunk
        self._source = source
        self._errors: dict[int, Rejected] = {}
        self._lost: dict[int, list[Rejected]] = {}

    def refuse(self, invalid: pl.Series, role: str, column: str, expected: str) -> None:
        """Record an error for each row where `invalid` holds.

        Args:
            invalid: Bool [N].
            role: The role of the column, reported if `column` is "".
            column: The column that the value stands in.
            expected: What was expected of it.
        """
        if not invalid.any():
            return
        values = self._chunk.column(column) if column else None
        for index in invalid.arg_true().to_list():
            if index not in self._errors:
                value = "" if values is None else shortened(values[index])
                row = int(self._chunk.rows[index])
                self._errors[index] = Rejected(self._source, row, column or role, value, expected)

    def leave_out(self, index: int, name: str, value: Any, expected: str) -> None:
        """Record a field that a row is stored without.

        Args:
            index: The index of the row.
            name: The name of the field.
            value: Its value.
            expected: What was expected of it.
        """
        row = int(self._chunk.rows[index])
        reject = Rejected(self._source, row, name, shortened(value), expected)
        self._lost.setdefault(index, []).append(reject)

    @property
    def lost_fields(self) -> list[Rejected]:
        """The fields that rows are stored without, by row; a refused row loses none."""
        return [
            reject
            for index in sorted(self._lost.keys() - self._errors.keys())
            for reject in self._lost[index]
        ]

    @property
    def indices(self) -> list[int]:
        """The indices of the refused rows, ascending."""
        return sorted(self._errors)

    @property
    def rejects(self) -> list[Rejected]:
        """The errors, by row."""
        return [self._errors[index] for index in self.indices]

    def ids(self, column: str, role: str) -> pl.Series:
        """Parse a column of ids and refuse the rows whose value cannot be one.

        Args:
            column: The name of the column.
            role: The role it plays.

        Returns:
            Strings [N], null where missing or refused.
        """
        ids, invalid = parse_ids(self._chunk.raw(column), textual=self._chunk.textual)
        self.refuse(invalid, role, column, EXPECTED["id"])
        return ids
