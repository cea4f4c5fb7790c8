"""Reads test ratings from a file and translates their ids to those of the data set."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np

from plait.data.catalogue import Catalogue
from plait.data.types import Dataset, Int32Array
from plait.errors import ProtocolError
from plait.eventlog import EventLog
from plait.eventlog.snapshot import snapshot
from plait.ingest.importer import Importer
from plait.privacy.consent import ConsentPolicy
from plait.utils.owned_folders import make_owned_folder
from plait.workspace.fit import no_progress
from plait.workspace.ingest import ingest

__all__ = ["rated_file"]


def rated_file(events: Any, mapping: Any, dataset: Dataset) -> Dataset:
    """Read rated events from outside, in the numbering of a data set.

    They are read into a temporary log. Ids unknown to the data set get numbers after its own.

    Args:
        events: The events, in any form that `ingest` takes.
        mapping: The mapping of their columns, or None.
        dataset: The data set.

    Returns:
        The rated events.

    Raises:
        ProtocolError: If none of their users is known.
    """
    with (
        closing(make_owned_folder("ratings")) as folder,
        EventLog.open(folder.path / "home") as scratch,
    ):
        importer, consent = Importer(scratch), ConsentPolicy()
        receipts = ingest(importer, consent, {"events": events}, mapping, no_progress)
        rated = snapshot(scratch)
    rows = rated.interactions
    users = _translated(rated.users, dataset.users)[rows.users]
    items = _translated(rated.catalogue, dataset.catalogue)[rows.items]
    if not (users < dataset.n_users).any():
        raise ProtocolError(
            f"none of the users of {receipts.stored} test events is known here",
            hint="the ids must be those of the home, which may hold pseudonyms",
            field="test_events",
        )
    return replace(rated, interactions=replace(rows, users=users, items=items))


def _translated(source: Catalogue, target: Catalogue) -> Int32Array:
    """For each number of `source` the number of the same id in `target`; unknown ids are numbered
    in their sorted order, so that the order of the file does not matter.
    """
    numbers: Int32Array = target.numbers(source.ids)
    unknown = sorted(np.flatnonzero(numbers < 0).tolist(), key=source.id)
    numbers[unknown] = len(target) + np.arange(len(unknown), dtype=np.int32)
    return numbers
