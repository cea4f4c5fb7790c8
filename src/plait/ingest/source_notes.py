"""Notes of a reader about values that it changed or left out."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ImportNote", "NoteCollector"]


class ImportNote(NamedTuple):
    """A note about a source; it rejects no row.

    Attributes:
        code: What happened, for programs: "decimal-comma", "placeholder", ...
        field: The column or field; "" for the source as a whole.
        message: The same for people: a sentence without a full stop.
        count: How many rows it concerns; 0 if they are not counted.
    """

    code: str
    field: str
    message: str
    count: int = 0  # type: ignore[assignment]  # hides the method tuple.count


class NoteCollector:
    """Adds up notes: one for each code and field, with the counts of all of them."""

    def __init__(self) -> None:
        self._notes: dict[tuple[str, str], ImportNote] = {}

    def add(self, note: ImportNote) -> None:
        """Take up a note; the first message of a code and field stays.

        Args:
            note: The note.
        """
        key = (note.code, note.field)
        earlier = self._notes.get(key)
        if earlier is not None:
            note = earlier._replace(count=earlier.count + note.count)
        self._notes[key] = note

    def notes(self) -> list[ImportNote]:
        """Return the notes, in the order in which they first came."""
        return list(self._notes.values())
