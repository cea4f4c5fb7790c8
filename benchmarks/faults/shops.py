"""Fitted shops to damage, each a copy of one template, on SQLite and on PostgreSQL."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import plait.workspace
from plait.pipeline.recipe import Recipe

__all__ = [
    "POSTGRES",
    "RECIPE",
    "SQLITE",
    "PostgresShops",
    "Shop",
    "SqliteShops",
    "running_postgres",
]

SQLITE, POSTGRES = "sqlite", "postgres"
KEY = "key-of-the-chaos-benchmark"
RECIPE = {
    "name": "chaos",
    "models": {name: {} for name in ("popular", "neighbours", "content", "lexical")},
    "steps": {name: {} for name in ("fuse", "rules", "policy", "explain")},
}
COLOURS = ("red", "green", "blue", "white", "black")
NOUNS = ("lamp", "mug", "desk", "chair", "vase", "clock")
DAY_SECONDS = 86_400
START_SECONDS = 120


@dataclass(frozen=True)
class Shop:
    """A home and its log.

    Attributes:
        home: The folder.
        database: The URL of the log, "" for SQLite in the home.
    """

    home: Path
    database: str = ""

    @property
    def location(self) -> str:
        """What `EventLog.open` takes."""
        return self.database or str(self.home)

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of a command or server of this shop."""
        return {**os.environ, "PLAIT_DATABASE": self.database, "PLAIT_KEY": KEY, **more}

    def open(self) -> plait.workspace.Workspace:
        """Open it in this process."""
        return plait.workspace.open(self.home, database=self.database)


def fill(shop: Shop, n_items: int = 120, n_users: int = 150) -> None:
    """Describe items, append purchases, fit."""
    now = time.time()
    with shop.open() as workspace:
        workspace.post_items(
            [
                {
                    "id": f"item-{n}",
                    "fields": {
                        "title": f"{COLOURS[n % 5]} {NOUNS[n % 6]} number {n}",
                        "category": f"{NOUNS[n % 6]}s",
                        "price": 2.5 + n % 40,
                        "serial": 0,
                        "tags": [COLOURS[n % 5], f"series {n % 9}"],
                        "place": {"lat": 52.0 + n % 7, "lon": 13.0},
                    },
                }
                for n in range(n_items)
            ]
        )
        workspace.post(
            [
                {
                    "id": f"first-{user}-{step}",
                    "kind": "purchase",
                    "user": f"user{user}",
                    "item": f"item-{(user * 7 + step * 6) % n_items}",
                    "time": now - DAY_SECONDS * (20 - step),
                }
                for user in range(n_users)
                for step in range(6)
            ]
        )
        workspace.fit(Recipe.of(RECIPE))


class SqliteShops:
    """Makes shops whose log is in the home.

    Args:
        folder: Where they lie.
    """

    store = SQLITE

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names = itertools.count()
        self._template = Shop(folder / "template")
        fill(self._template)

    def new(self) -> Shop:
        """A fresh copy of the template."""
        home = self._folder / f"shop-{next(self._names)}"
        shutil.copytree(self._template.home, home)
        return Shop(home)

    def empty(self) -> Shop:
        """A home without a log."""
        return Shop(self._folder / f"shop-{next(self._names)}")

    def drop(self, shop: Shop) -> None:
        """Remove a shop."""
        shutil.rmtree(shop.home, ignore_errors=True)


class PostgresShops:
    """Makes shops whose log is a database of a PostgreSQL server.

    Args:
        folder: Where the homes lie.
        server: The server, of `running_postgres`.
    """

    store = POSTGRES

    def __init__(self, folder: Path, server: PostgresServer) -> None:
        self._folder = folder
        self.server = server
        self._names = itertools.count()
        self._prefix = f"chaos_{os.getpid()}_{time.monotonic_ns()}"
        self._template_name = f"{self._prefix}_template"
        server.execute(f"CREATE DATABASE {self._template_name}")
        self._template = Shop(folder / "pg-template", server.url(self._template_name))
        fill(self._template)

    def new(self) -> Shop:
        """A fresh copy of the template."""
        shop = self.empty(f" TEMPLATE {self._template_name}")
        shutil.copytree(self._template.home, shop.home)
        return shop

    def empty(self, like: str = "") -> Shop:
        """A home whose database has no tables."""
        name = f"{self._prefix}_{next(self._names)}"
        self.server.execute(f"CREATE DATABASE {name}{like}")
        return Shop(self._folder / name, self.server.url(name))

    def drop(self, shop: Shop) -> None:
        """Remove a shop and its database."""
        name = shop.database.partition("@/")[2].partition("?")[0]
        self.server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        shutil.rmtree(shop.home, ignore_errors=True)


class PostgresServer:
    """A PostgreSQL server of pgserver that can be cut off, crashed and started again.

    Args:
        handle: What `pgserver.get_server` returns.
    """

    def __init__(self, handle: object) -> None:
        self._handle = handle

    def url(self, database: str) -> str:
        """The SQLAlchemy URL of a database."""
        return f"postgresql+psycopg://postgres@/{database}?host={self._socket}"

    def execute(self, statement: str) -> list[tuple[object, ...]]:
        """Run a statement in the database `postgres`; its rows, if it has any."""
        import psycopg

        address = self.url("postgres").replace("+psycopg", "")
        with psycopg.connect(address, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def cut_sessions(self, database: str) -> int:
        """End every session of a database; how many there were."""
        name = database.partition("@/")[2].partition("?")[0]
        return len(
            self.execute(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
            )
        )

    def stop_at_once(self) -> None:
        """Stop without a checkpoint, as a crash of the machine's software would (SIGQUIT)."""
        process = self._handle.get_postmaster_info().process
        process.send_signal(signal.SIGQUIT)
        process.wait(30)

    def start(self) -> None:
        """Start again, if it does not run; recovery may take longer than pgserver waits."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self._handle.ensure_postgres_running()
            except subprocess.SubprocessError:
                if time.monotonic() > deadline:
                    raise
            else:
                return

    @property
    def _socket(self) -> Path:
        return self._handle.get_postmaster_info().socket_dir


@contextlib.contextmanager
def running_postgres(folder: Path) -> Iterator[PostgresServer]:
    """A server with a data folder of its own; as root it runs as a user without rights."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # XDG_RUNTIME_DIR is not set in containers
        import pgserver
    handle = pgserver.get_server(folder / "data", cleanup_mode="stop")
    try:
        yield PostgresServer(handle)
    finally:
        handle.cleanup()
