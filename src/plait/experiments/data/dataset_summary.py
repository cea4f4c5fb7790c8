"""Describes a data set in two lines of text, or as an HTML table."""

from __future__ import annotations

import html

import numpy as np

from plait.data.dataset import Dataset
from plait.utils.timestamps import iso

__all__ = ["html_table", "summary_text"]


def summary_text(dataset: Dataset) -> str:
    """Describe a data set in one or two lines: counts; then times and fields.

    Args:
        dataset: The data set.
    """
    counts = ", ".join(f"{count} {name}" for name, count in _counts(dataset))
    properties = "; ".join(
        value if name == "time" else f"{name} {value}" for name, value in _properties(dataset)
    )
    return "\n".join(filter(None, [f"Dataset: {counts}", properties]))


def html_table(dataset: Dataset) -> str:
    """Describe a data set as an HTML table, for notebooks.

    Args:
        dataset: The data set.
    """
    rows = [*_counts(dataset), *_properties(dataset)]
    cells = (
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(text)}</td></tr>" for name, text in rows
    )
    return f"<table>{''.join(cells)}</table>"


def _counts(dataset: Dataset) -> list[tuple[str, str]]:
    events = dataset.interactions
    counts = np.bincount(events.event_types, minlength=len(dataset.event_types)).tolist()
    by_type = zip(dataset.event_types, counts, strict=True)
    return [
        ("users", f"{len(np.unique(events.users)):,}"),
        ("items", f"{len(np.unique(events.items)):,}"),
        *((name, f"{count:,}") for name, count in by_type if count),
    ]


def _properties(dataset: Dataset) -> list[tuple[str, str]]:
    times = dataset.interactions.times
    rows = []
    if dataset.clock == "time" and len(times):
        first, last = (iso(int(time))[:10] for time in (times.min(), times.max()))
        rows.append(("time", f"{first} to {last}"))
    for name, catalogue in (("item fields", dataset.catalogue), ("user fields", dataset.users)):
        if catalogue.columns:
            rows.append((name, ", ".join(catalogue.columns)))
    if len(dataset.triples):
        rows.append(("triples", f"{len(dataset.triples):,}"))
    return rows
