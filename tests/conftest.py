"""Settings of all tests, and logs: every test of a log runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import gc
import itertools
import os
import signal
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from plait.eventlog import EventLog

settings.register_profile(
    "plait",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("plait")

# A shell starts background jobs with SIGINT ignored, and their children inherit that: then neither
# this process nor a server under test would receive the Ctrl-C that a test sends.
signal.signal(signal.SIGINT, signal.default_int_handler)

_NAMES = itertools.count()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Exempt what was imported from garbage collection: examining it takes 7 % of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A PostgreSQL server on a socket in a temporary folder; the template of its SQLAlchemy URLs.

    pgserver contains the programs. As root it makes an unprivileged user to run them; the data
    folder lies directly in /tmp, because it opens every folder above to that user.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # XDG_RUNTIME_DIR is not set in containers
        import pgserver

    with tempfile.TemporaryDirectory(prefix="plait-pg-") as folder:
        server = pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
        # Its files need not survive a power cut, and waiting for the disk takes most of the time.
        server.psql("ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf()")
        try:
            yield "postgresql+psycopg://postgres@/{}?host=" + str(
                server.get_postmaster_info().socket_dir
            )
        finally:
            server.cleanup()


@pytest.fixture
def new_database(request: pytest.FixtureRequest) -> Iterator[Callable[[], str]]:
    """A function that makes an empty PostgreSQL database; the databases are dropped afterwards."""
    import psycopg

    template: str = request.getfixturevalue("postgres_server")
    server_url = template.replace("+psycopg", "")
    names: list[str] = []

    def make() -> str:
        name = f"plait_{os.getpid()}_{next(_NAMES)}"
        with psycopg.connect(server_url.format("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        names.append(name)
        return template.format(name)

    yield make
    with psycopg.connect(server_url.format("postgres"), autocommit=True) as connection:
        for name in names:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgres"])
def log_location(request: pytest.FixtureRequest, home: Path) -> str:
    """Where a new log can be opened: a home, or the URL of an empty database."""
    if request.param == "sqlite":
        return str(home)
    make: Callable[[], str] = request.getfixturevalue("new_database")
    return make()


@pytest.fixture
def log(log_location: str) -> Iterator[EventLog]:
    with EventLog.open(log_location) as opened:
        yield opened
