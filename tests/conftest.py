"""What holds for all tests, and homes and logs: every log test runs on SQLite and on PostgreSQL."""

from __future__ import annotations

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

# A job in the background of a shell has SIGINT ignored, and whatever it starts inherits that: then
# neither this process nor a server under test would hear the Ctrl-C that a test sends.
signal.signal(signal.SIGINT, signal.default_int_handler)

_NAMES = itertools.count()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A PostgreSQL of our own, on a socket in a temporary folder; its SQLAlchemy URL.

    pgserver carries the programs. As root it makes an unprivileged user to run them; the data
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
    """Makes empty PostgreSQL databases; they are dropped again."""
    import psycopg

    template: str = request.getfixturevalue("postgres_server")
    plain = template.replace("+psycopg", "")
    made: list[str] = []

    def make() -> str:
        name = f"plait_{os.getpid()}_{next(_NAMES)}"
        with psycopg.connect(plain.format("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        made.append(name)
        return template.format(name)

    yield make
    with psycopg.connect(plain.format("postgres"), autocommit=True) as connection:
        for name in made:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, home: Path) -> str:
    """Where a fresh log may be opened: a home, or the URL of an empty database."""
    if request.param == "sqlite":
        return str(home)
    make: Callable[[], str] = request.getfixturevalue("new_database")
    return make()


@pytest.fixture
def log(place: str) -> Iterator[EventLog]:
    with EventLog.open(place) as opened:
        yield opened
