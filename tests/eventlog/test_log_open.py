"""Opening a log: old and new schemas, invalid locations, damaged files, full disks."""

from __future__ import annotations

import itertools
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, text

from plait.data.types import Event
from plait.errors import InputError, MissingExtraError, StorageError
from plait.eventlog import EventLog, migrate, sqlite
from plait.eventlog.base_store import Store
from plait.eventlog.open_store import open_store
from plait.eventlog.tables import METADATA

RELEASED = Path(__file__).parent / "released"

SECOND = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0005", "0004"
def upgrade():
    op.add_column("events", sa.Column("weather", sa.Text))
"""


def click(name: str) -> Event:
    return Event("interaction", name, "view", "u", "i", 1_700_000_000_000_000)


def run_sql(log: EventLog, *statements: str) -> None:
    with log._store.writing() as connection:
        for statement in statements:
            connection.execute(text(statement))


@pytest.fixture
def next_scripts(tmp_path: Path) -> Path:
    """The migrations of a later version, which has one more."""
    folder = tmp_path / "later"
    shutil.copytree(migrate.SCRIPTS, folder)
    (folder / "versions" / "0005_weather.py").write_text(SECOND)
    return folder


def tables_of(store: Store) -> dict[str, Any]:
    """All that the database tells of each table, and the rows of the tables that are not empty."""
    with store.reading() as connection:
        inspector = inspect(connection)
        return {
            name: (
                [column | {"type": repr(column["type"])} for column in inspector.get_columns(name)],
                inspector.get_pk_constraint(name),
                [
                    index | {"dialect_options": {k: str(v) for k, v in options.items()}}
                    for index in sorted(inspector.get_indexes(name), key=itemgetter("name"))
                    for options in [index.get("dialect_options", {})]
                ],
                inspector.get_unique_constraints(name),
                inspector.get_check_constraints(name),
                inspector.get_table_options(name),
                [tuple(row) for row in connection.execute(text(f"SELECT * FROM {name}"))],
            )
            for name in inspector.get_table_names()
        }


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_new_log_has_the_tables_that_migrations_make(
    database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    locations = [str(tmp_path / name) for name in ("created", "migrated")]
    if database == "postgres":
        make: Callable[[], str] = request.getfixturevalue("new_database")
        locations = [make() for _ in locations]
    scripts = tmp_path / "migrations"  # those of another folder are run one after the other
    shutil.copytree(migrate.SCRIPTS, scripts)
    with EventLog.open(locations[0]) as created:
        expected = tables_of(created._store)
    migrated = open_store(locations[1], create=True)
    try:
        migrate.migrate(migrated, scripts=scripts)
        assert tables_of(migrated) == expected
    finally:
        migrated.close()
    assert set(expected) == {*METADATA.tables, "alembic_version"}
    assert expected["alembic_version"][-1] == [(migrate.NEWEST,)]


def test_processes_can_open_a_new_log_at_once(log_location: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        logs = list(pool.map(EventLog.open, [log_location] * 8))
    versions = [log.append([click(str(index))]).version for index, log in enumerate(logs)]
    assert versions == list(range(1, 9))
    for log in logs:
        log.close()


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_the_log_of_0_1_0_opens(database: str, home: Path, request: pytest.FixtureRequest) -> None:
    dump = (RELEASED / f"0.1.0.{database}.sql").read_text(encoding="utf-8")
    if database == "sqlite":
        home.mkdir()
        with sqlite3.connect(home / "plait.db") as connection:
            connection.executescript(dump)
        connection.close()
        location = str(home)
    else:
        import psycopg

        make: Callable[[], str] = request.getfixturevalue("new_database")
        location = make()
        with psycopg.connect(location.replace("+psycopg", "")) as server:
            server.execute(dump)
    with EventLog.open(location) as log:
        assert log.version == 7
        assert log.user_ids() == ["ann", ""]
        assert log.item_ids() == ["cup", "pot"]
        assert dict(log.schema().types) == {("item", "price"): "number", ("item", "title"): "text"}
        assert log.impression("r1") is not None
        again = log.append(
            [Event("interaction", "e1", "view", "ann", "cup", 1_700_000_000_000_000)]
        )
        assert again.rows[0].status == "duplicate"
        assert log.append([click("new")]).version == 8


def test_a_store_of_a_newer_plait_is_refused(log_location: str) -> None:
    with EventLog.open(log_location) as log:
        log.append([click("a")])
        run_sql(log, "UPDATE alembic_version SET version_num = '9999'")
        with pytest.raises(StorageError) as caught:
            log.append([click("b")])
        assert "9999" in caught.value.message
    with pytest.raises(StorageError) as caught:
        EventLog.open(log_location)
    assert "9999" in caught.value.message


def test_a_migration_while_others_write(log_location: str, next_scripts: Path) -> None:
    """Writers of the old version lose nothing: each append is stored or refused."""
    stored: list[str] = []

    def write(log: EventLog, name: str) -> str:
        for number in itertools.count():
            try:
                log.append([click(f"{name}{number}")])
            except StorageError as problem:
                return str(problem)
            stored.append(f"{name}{number}")
        return ""

    with ExitStack() as stack:
        logs = [stack.enter_context(EventLog.open(log_location)) for _ in range(4)]
        pool = stack.enter_context(ThreadPoolExecutor(3))
        writers = [pool.submit(write, log, name) for log, name in zip(logs, "abc", strict=False)]
        while logs[3].version < 10:
            time.sleep(0.001)
        migrate.migrate(logs[3]._store, scripts=next_scripts, newest="0005")
        assert ["0004" in writer.result() for writer in writers] == [True] * 3
        with logs[3]._store.reading() as connection:
            rows = connection.execute(text("SELECT id, weather FROM events ORDER BY seq")).all()
        assert len(stored) >= 10
        assert sorted(row[0] for row in rows) == sorted(stored)


def test_a_migration_that_fails_changes_nothing(log_location: str, next_scripts: Path) -> None:
    broken = next_scripts / "versions" / "0005_weather.py"
    broken.write_text(SECOND + '    op.execute("SELECT nonsense FROM nowhere")\n')
    with EventLog.open(log_location) as log:
        log.append([click("a")])
        with pytest.raises(StorageError):
            migrate.migrate(log._store, scripts=next_scripts, newest="0005")
        assert log.append([click("b")]).version == 2
        with log._store.reading() as connection, pytest.raises(Exception, match="weather"):
            connection.execute(text("SELECT weather FROM events"))


def test_invalid_locations_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StorageError):
        EventLog.open(tmp_path / "nowhere", create=False)
    assert not (tmp_path / "nowhere").exists()
    for url in ("mysql://host/db", "sqlite:///x.db", "://"):
        with pytest.raises(InputError) as caught:
            EventLog.open(url)
        assert caught.value.field == "log"
    with pytest.raises(StorageError) as refused:
        EventLog.open(f"postgresql+psycopg://nobody@/none?host={tmp_path}")
    assert "PostgreSQL" in refused.value.hint
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtraError, match=r"plait\[postgres\]"):
        EventLog.open("postgresql+psycopg://host/db")


def test_network_file_systems_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/a / ext4 rw 0 0\nserver:/x {tmp_path} nfs4 rw 0 0\n")
    assert sqlite.file_system(tmp_path / "home", mounts) == "nfs4"
    assert sqlite.file_system(Path("/elsewhere"), mounts) == "ext4"
    assert sqlite.file_system(tmp_path, tmp_path / "missing") == ""
    monkeypatch.setattr(sqlite, "file_system", lambda path: "fuse.sshfs")
    with pytest.raises(StorageError) as caught:
        EventLog.open(tmp_path / "home")
    assert "fuse.sshfs" in caught.value.message


def test_a_file_that_is_not_a_database_is_refused(home: Path) -> None:
    home.mkdir()
    (home / "plait.db").write_bytes(b"not a database at all, but long enough to look at" * 99)
    with pytest.raises(StorageError) as caught:
        EventLog.open(home)
    assert caught.value.hint
    (home / "plait.db").unlink()
    home.rmdir()
    home.write_text("a file")
    with pytest.raises(StorageError):
        EventLog.open(home)


def test_a_damaged_file_is_reported(home: Path) -> None:
    with EventLog.open(home) as log:
        log.append([click(f"e{n}" * 50) for n in range(2000)])
    path = home / "plait.db"
    data = bytearray(path.read_bytes())
    for start in range(4096 * 8, len(data), 4096):
        data[start : start + 512] = os.urandom(512)
    path.write_bytes(bytes(data))

    def use() -> None:
        with EventLog.open(home) as log:
            list(log.read())
            log.append([click("more")])

    with pytest.raises(StorageError) as caught:
        use()
    assert "backup" in caught.value.hint


def test_a_full_disk_keeps_what_was_stored(home: Path) -> None:
    with EventLog.open(home) as log:
        log.append([click("a")])
        with log._store.engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            pages = driver.execute("PRAGMA page_count").fetchone()[0]
            driver.execute(f"PRAGMA max_page_count={pages + 3}")
        with pytest.raises(StorageError) as caught:
            log.append([click(f"b{n}") for n in range(5000)])
        assert "space" in caught.value.hint
        assert log.version == 1
        assert [row.status for row in log.append([click("a"), click("c")]).rows] == [
            "duplicate",
            "stored",
        ]
        assert (log.user_ids(), log.item_ids(), log.kinds()) == (["u"], ["i"], ["view"])


_LIMITED = """
import resource, sys
from plait.data.types import Event
from plait.eventlog import EventLog
from plait.errors import StorageError
log = EventLog.open(sys.argv[1])
def click(n): return Event("interaction", f"e{n}", "view", f"u{n}", "i")
log.append([click(n) for n in range(10)])
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
stored = 10
try:
    while stored < 100_000:
        log.append([click(n) for n in range(stored, stored + 500)])
        stored += 500
except StorageError as problem:
    print(stored, problem.code)
"""


def test_a_disk_that_fills_up_keeps_what_was_stored(home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(home)], capture_output=True, text=True, timeout=120
    )
    assert done.stdout.split()[1:] == ["storage"], done.stderr
    stored = int(done.stdout.split()[0])
    with EventLog.open(home) as log:
        assert log.version == stored
        assert len(log.user_ids()) == stored
        assert log.append([Event("interaction", "e5", "view", "u5", "i")]).rows[0].status == (
            "duplicate"
        )


def test_a_read_only_database_refuses_an_append(home: Path) -> None:
    with EventLog.open(home) as log:
        log.append([click("a")])
        with log._store.engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            driver.execute("PRAGMA query_only=ON")
        with pytest.raises(StorageError) as caught:
            log.append([click("b")])
        assert "write" in caught.value.hint
        assert log.version == 1
