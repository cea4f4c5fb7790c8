"""Warnings about ids that a spreadsheet has changed, or that the catalogue spells otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import polars as pl

from plait.ingest.column_synonyms import ROLES, normalized_name
from plait.ingest.source_notes import ImportNote
from plait.ingest.source_summary import ReferenceLog, SummaryCollector

__all__ = ["odd_ids"]

LEAST_SHARE = 0.01
"""The least share of events without a catalogue entry that makes other spellings worth a look."""

_MOST_JOINED = 10_000
"""So many ids with separators are looked at."""

_SHORTENED = r"^[0-9]([.,][0-9]+)?[eE]\+[0-9]{2,3}$"
"""How spreadsheets show long numbers: 4.00614E+12."""

_MARKED = r"^'[0-9]"
"""How spreadsheets mark digits as text: '00123."""


def odd_ids(source: SummaryCollector, log: ReferenceLog | None) -> Iterator[ImportNote]:
    """Find ids that are most likely not those of the shop.

    Args:
        source: What the source holds.
        log: The log after the import; None if it cannot be read.

    Yields:
        A note for each finding.
    """
    for role, counts in (("item", source.items), ("user", source.users)):
        column = source.column_of(role)
        for code, names, message in _signs_of_a_spreadsheet(role, counts):
            if names:
                total = sum(counts[name] for name in names)
                yield ImportNote(code, column, message.format(names[0]), total)
    yield from _joined_items(source)
    if log is not None:
        yield from _other_spellings(source, log)


def _signs_of_a_spreadsheet(
    role: str, counts: Counter[str]
) -> Iterator[tuple[str, list[str], str]]:
    """Code, ids and message of each finding; {!r} stands for the first of the ids."""
    names = pl.Series(list(counts), dtype=pl.String)
    shortened = names.filter(names.str.contains(_SHORTENED)).to_list()
    message = f"the {role} {{!r}} looks like a number that a spreadsheet has shortened"
    yield "shortened-id", shortened, f"{message}: export the column as text"
    marked = names.filter(names.str.contains(_MARKED)).to_list()
    message = f"the {role} {{!r}} begins with a spreadsheet's mark for text"
    yield "marked-id", marked, f"{message}: export the column without it"
    usual = ROLES[f"{role}s"][role]
    words = names.filter(~names.str.contains("[0-9]")).to_list()
    headers = [name for name in words if any(normalized_name(name) in tier for tier in usual)]
    message = f"the {role} {{!r}} looks like the header of another table in the file"
    yield "header-row", headers, f"{message}: import each table alone"


def _joined_items(source: SummaryCollector) -> Iterator[ImportNote]:
    """Ids such as "A,B,C" of which most parts are ids of the source as well."""
    if source.kind != "events":
        return
    names = pl.Series(list(source.items), dtype=pl.String)
    candidates = names.filter(names.str.contains(r"[,;|]")).head(_MOST_JOINED)
    joined: Counter[str] = Counter()
    marks: Counter[str] = Counter()
    for name in candidates.to_list():
        mark = next(sign for sign in "|;," if sign in name)
        parts = [part.strip() for part in name.split(mark)]
        if len(parts) > 1 and 2 * sum(part in source.items for part in parts) >= len(parts):
            joined[name] = source.items[name]
            marks[mark] += 1
    if joined:
        column = source.column_of("item")
        mark = marks.most_common(1)[0][0]
        message = (
            f"the item {max(joined, key=len)!r} looks like several; a mapping makes a row of each: "
            f'explode = "{column}" and split = {{ {column} = "{mark}" }}'
        )
        yield ImportNote("joined-items", column, message, joined.total())


def _other_spellings(source: SummaryCollector, log: ReferenceLog) -> Iterator[ImportNote]:
    missing = source.uncatalogued_items(log)
    if missing.total() <= LEAST_SHARE * source.rows:
        return
    spellings = dict(zip(_without_spelling(missing), missing, strict=True))
    ids = log.item_ids()
    plain = _without_spelling(ids)
    candidates = {
        name: spellings[key]
        for name, key in zip(ids, plain, strict=True)
        if key in spellings and name not in missing
    }
    described = log.described_items(candidates)
    events = Counter({candidates[name]: missing[candidates[name]] for name in described})
    if events:
        name = max(events, key=lambda item: (events[item], item))
        entry = min(other for other in described if candidates[other] == name)
        message = (
            f"{len(events):,} items of events are in the catalogue in another spelling, such as "
            f"{entry!r} for {name!r}: ids have to be equal sign by sign"
        )
        yield ImportNote("other-spelling", source.column_of("item"), message, events.total())


def _without_spelling(ids: Iterable[str]) -> list[str]:
    """Ids without case, blanks, punctuation, forms of letters, zeros in front, ".0" behind."""
    texts = pl.Series(list(ids), dtype=pl.String).str.normalize("NFKC")
    texts = texts.str.to_lowercase().str.replace(r"\.0+$", "").str.replace_all(r"[\s\-_./']", "")
    plain: list[str] = texts.str.strip_chars_start("0").to_list()
    return plain
