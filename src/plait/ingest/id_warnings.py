"""Warnings about ids that a spreadsheet has changed, or that the catalogue spells otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import polars as pl

from plait.ingest.source_notes import ImportNote
from plait.ingest.source_summary import ReferenceLog, SummaryCollector

__all__ = ["odd_ids"]

LEAST_SHARE = 0.01
"""The least share of events without a catalogue entry that makes other spellings worth a look."""

_SHORTENED = r"^[0-9]([.,][0-9]+)?[eE]\+[0-9]{2,3}$"
"""How spreadsheets show long numbers: 4.00614E+12."""


def odd_ids(source: SummaryCollector, log: ReferenceLog | None) -> Iterator[ImportNote]:
    """Find ids that are most likely not those of the shop.

    Args:
        source: What the source holds.
        log: The log after the import; None if it cannot be read.

    Yields:
        A note for each finding.
    """
    yield from _shortened_numbers(source)
    if log is not None:
        yield from _other_spellings(source, log)


def _shortened_numbers(source: SummaryCollector) -> Iterator[ImportNote]:
    for role, counts in (("item", source.items), ("user", source.users)):
        names = pl.Series(list(counts), dtype=pl.String)
        shortened = names.filter(names.str.contains(_SHORTENED)).to_list()
        if shortened:
            message = (
                f"the {role} {shortened[0]!r} looks like a long number that a spreadsheet has "
                "shortened; several may have become one: export the column as text"
            )
            count = sum(counts[name] for name in shortened)
            yield ImportNote("shortened-id", source.column_of(role), message, count)


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
    texts = texts.str.to_lowercase().str.replace(r"\.0+$", "").str.replace_all(r"[\s\-_./]", "")
    plain: list[str] = texts.str.strip_chars_start("0").to_list()
    return plain
