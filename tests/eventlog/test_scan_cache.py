"""A scan of the log takes little of SQLite's page cache, and leaves a connection as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from plait.eventlog.open_store import open_store
from plait.eventlog.sqlite import CACHE_KB, SCAN_CACHE_KB


def test_a_scan_has_a_small_cache_and_other_reads_a_large_one(home: Path) -> None:
    home.mkdir()
    store = open_store(home, create=True)
    sizes = []
    for transaction in (store.reading, store.scanning, store.reading):
        with transaction() as connection:
            sizes.append(next(store.rows(connection, "PRAGMA cache_size"))[0])
    store.close()
    assert sizes == [-CACHE_KB, -SCAN_CACHE_KB, -CACHE_KB]


def test_a_scan_that_fails_leaves_the_cache_as_it_was(home: Path) -> None:
    home.mkdir()
    store = open_store(home, create=True)
    with pytest.raises(ZeroDivisionError), store.scanning():
        raise ZeroDivisionError
    with store.reading() as connection:
        assert next(store.rows(connection, "PRAGMA cache_size"))[0] == -CACHE_KB
    store.close()
