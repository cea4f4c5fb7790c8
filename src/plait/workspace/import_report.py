"""The report of an import: rows by status, and the receipt of each file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from plait.ingest.import_result import ImportResult
from plait.ingest.source_notes import ImportNote
from plait.ingest.source_summary import SourceSummary
from plait.ranking.sellable_summary import SellableItems
from plait.utils.plurals import counted
from plait.utils.timestamps import iso

__all__ = ["ImportReport"]

_MAX_NAMES = 20
"""How many columns the text tells; the JSON has all."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of each kind of rows.

    Attributes:
        by_kind: `plait.ingest.import_result.ImportResult` by "items", "users", ...
        import_id: The id of the import, by which it can be taken back.
        dry_run: Whether nothing was stored.
        sellable: What the catalogue lets recommendations show afterwards; None without a source of
            items.
    """

    by_kind: Mapping[str, ImportResult]
    import_id: str = ""
    dry_run: bool = False
    sellable: SellableItems | None = None

    @property
    def version(self) -> int:
        """The log's last offset after them, 0 if nothing reached the log."""
        return max((result.version for result in self.by_kind.values()), default=0)

    @property
    def stored(self) -> int:
        """How many rows are new in the log."""
        return sum(result.stored for result in self.by_kind.values())

    @property
    def rejected(self) -> int:
        """How many rows were refused."""
        return sum(result.rejected for result in self.by_kind.values())

    @property
    def warnings(self) -> list[ImportNote]:
        """What looks wrong in any of the files."""
        return [note for result in self.by_kind.values() for note in result.summary.warnings]

    def lines(self) -> list[str]:
        """For people: a line a source, what was understood of it, and what looks wrong."""
        lines = [line for kind, result in self.by_kind.items() for line in _lines(kind, result)]
        if self.sellable is not None:
            lines += _shown(self.sellable)
        if self.dry_run:
            return ["dry run: nothing was stored", *lines]
        if any(result.stored or result.summary.removed for result in self.by_kind.values()):
            lines.append(f"import {self.import_id}; plait undo takes it back")
        return lines

    def to_dict(self) -> dict[str, Any]:
        """As JSON carries it."""
        return {
            "version": self.version,
            "import": self.import_id,
            "dry_run": self.dry_run,
            **{kind: _plain(result) for kind, result in self.by_kind.items()},
            **({} if self.sellable is None else {"sellable": self.sellable.to_dict()}),
        }


def _lines(kind: str, result: ImportResult) -> Iterator[str]:
    names = ("stored", "duplicate", "conflict", "rejected")
    counts = {name: getattr(result, name) for name in names}
    counts |= {"removed": result.summary.removed}
    summary = ", ".join(
        f"{count} {name}" for name, count in counts.items() if count or name == "stored"
    )
    if result.lost_fields:
        summary += f", {counted(result.lost_fields, 'field')} left out"
    yield (
        f"{kind} from {result.source}: {summary}" if result.source != kind else f"{kind}: {summary}"
    )
    yield from _understood(kind, result.summary)
    for bad in result.problems:
        yield f"  row {bad.row}, {bad.field or 'the row'}: {bad.expected}, found {bad.value!r}"
    if result.rejects is not None:
        yield f"  all of them in {result.rejects}"
    for note in result.notes:
        yield f"  note: {_sentence(note)}"
    for warning in result.summary.warnings:
        yield f"  looks wrong: {_sentence(warning)}"


def _shown(sellable: SellableItems) -> Iterator[str]:
    """What recommendations show of the catalogue, in a few lines."""
    for rule in sellable.availability:
        yield f"  stock: {rule.text} ({rule.n_unavailable:,} now)"
    if sellable.n_uncatalogued:
        yield f"  not shown: {counted(sellable.n_uncatalogued, 'id')} that only events name"
    if sellable.group_field:
        products = f"{counted(sellable.n_products, 'product')} by `{sellable.group_field}`"
        yield f'  variants: {products}; group_by = "auto" shows one of each'


def _understood(kind: str, summary: SourceSummary) -> Iterator[str]:
    """What was understood of a source, in a few lines."""
    texts = [
        f"{name} = {field or role}" + (f" ({dtype})" if dtype else "")
        for name, role, field, dtype in summary.columns
        if role
    ]
    if texts:
        yield f"  columns: {_listed(texts)}"
    unread = [column.column for column in summary.columns if not column.role]
    if unread:
        yield f"  columns not read: {_listed(unread)}"
    if summary.first_time is not None and summary.last_time is not None:
        yield f"  times: {iso(summary.first_time)} to {iso(summary.last_time)}"
    if summary.kinds:
        label = "relations" if kind == "facts" else "event types"
        yield f"  {label}: {_listed([f'{count:,} {n}' for n, count in summary.kinds.items()])}"
    new = [counted(summary.new_items, "item"), counted(summary.new_users, "user")]
    yield f"  new: {_listed([*new, *summary.new_kinds])}"
    for name, count in summary.cleared.items():
        yield f"  cleared: {name} of {count:,} {kind}"
    missing = summary.uncatalogued
    if missing is not None and missing.events:
        total = missing.events / missing.share
        shares = [f"{name} {count / total:.0%}" for name, count in missing.most_frequent]
        more = ", ..." if missing.items > len(missing.most_frequent) else ""
        ids = counted(missing.items, "id")
        yield (
            f"  not in the catalogue: {ids} in {missing.share:.0%} of the events"
            f" ({', '.join(shares)}{more})"
        )


def _listed(texts: list[str]) -> str:
    more = f", ... ({len(texts)} in all)" if len(texts) > _MAX_NAMES else ""
    return ", ".join(texts[:_MAX_NAMES]) + more


def _sentence(note: ImportNote) -> str:
    where = f"{note.field}: " if note.field and note.field not in note.message else ""
    count = f" ({counted(note.count, 'row')})" if note.count else ""
    return f"{where}{note.message}{count}"


def _plain(result: ImportResult) -> dict[str, Any]:
    return {
        "source": result.source,
        "rows": result.rows,
        "stored": result.stored,
        "duplicate": result.duplicate,
        "conflict": result.conflict,
        "rejected": result.rejected,
        "lost_fields": result.lost_fields,
        "version": result.version,
        "rejects": None if result.rejects is None else str(result.rejects),
        "problems": [bad._asdict() for bad in result.problems],
        **_plain_summary(result.summary),
        "notes": [note._asdict() for note in result.notes],
        "warnings": [note._asdict() for note in result.summary.warnings],
    }


def _plain_summary(summary: SourceSummary) -> dict[str, Any]:
    first, last, missing = summary.first_time, summary.last_time, summary.uncatalogued
    times = None if first is None or last is None else {"first": iso(first), "last": iso(last)}
    new = {"items": summary.new_items, "users": summary.new_users, "kinds": [*summary.new_kinds]}
    uncatalogued = missing and {
        "events": missing.events,
        "share": missing.share,
        "items": missing.items,
        "most_frequent": [{"id": name, "events": count} for name, count in missing.most_frequent],
    }
    return {
        "columns": [column._asdict() for column in summary.columns],
        "times": times,
        "new": new,
        "kinds": dict(summary.kinds),
        "ids": summary.ids,
        "uncatalogued": uncatalogued,
        "cleared": dict(summary.cleared),
        "removed": summary.removed,
    }
