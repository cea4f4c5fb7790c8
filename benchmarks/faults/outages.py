"""Scenarios in which a server goes on: its database is cut, its disk full, its clock jumps."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from faults.ledger import Ledger
from faults.server_load import ServerLoad
from faults.server_process import Server
from faults.shops import PostgresServer, Shop

__all__ = ["cut_sessions", "fill_disk", "jump_clock", "limit_files", "no_disk", "tmpfs"]

DAY_SECONDS = 86_400
BLOCK = bytes(1 << 16)


def cut_sessions(
    shop: Shop, rng: random.Random, ledger: Ledger, postgres: PostgresServer, cuts: int = 6
) -> Counter[str]:
    """All sessions of the database are terminated, at last it stops without a checkpoint."""
    counts: Counter[str] = Counter()
    with _loaded(shop, ledger) as load:
        for _ in range(cuts):
            time.sleep(rng.uniform(0.0, 0.5))
            counts["sessions"] += postgres.cut_sessions(shop.database)
        load.await_more()
        postgres.stop_at_once()
        counts["stops"] += 1
        time.sleep(0.5)
        postgres.start()
        load.await_more()
    counts["refusals"] = load.refusals
    return counts


def fill_disk(
    shop: Shop, rng: random.Random, ledger: Ledger, disk: Path, start: Callable[[], None]
) -> Counter[str]:
    """The disk that the log lies on is filled; events are refused until there is room again."""
    ballast = disk / "ballast"
    with _loaded(shop, ledger) as load:
        for _ in range(2):
            load.await_more()
            refusals = load.refusals
            deadline = time.monotonic() + 60
            while load.refusals < refusals + 5 and time.monotonic() < deadline:
                _fill(ballast)
                time.sleep(0.05)
            if load.refusals == refusals:
                ledger.unexpected.append("a full disk refuses nothing")
            time.sleep(rng.uniform(0.0, 0.5))
            ballast.unlink()
            start()
        load.await_more()
    return Counter(refusals=load.refusals, fills=2)


def limit_files(shop: Shop, rng: random.Random, ledger: Ledger) -> Counter[str]:
    """Where no disk can be mounted: no file of the server may grow beyond a bound."""
    largest = max(path.stat().st_size for path in shop.home.rglob("*") if path.is_file())
    with Server(shop, file_limit=largest + rng.randrange(1 << 16, 1 << 19)) as server:
        load = ServerLoad(server.url, ledger, f"{shop.home.name}-limited", rows=200)
        deadline = time.monotonic() + 60
        while load.refusals < 5 and time.monotonic() < deadline:
            time.sleep(0.05)
        load.end()
    if not load.refusals:
        ledger.unexpected.append("a file at its limit refuses nothing")
    refusals = load.refusals
    with _loaded(shop, ledger) as load:
        load.await_more()
    return Counter(refusals=refusals, fills=1)


def jump_clock(shop: Shop, rng: random.Random, ledger: Ledger, jumps: int = 4) -> Counter[str]:
    """The clock of the server jumps by up to ten years, back and forth, and is right at last."""
    file = shop.home.parent / f"{shop.home.name}-clock"
    file.write_text("0")
    paths = (str(Path(__file__).parent / "clock"), os.environ.get("PYTHONPATH", ""))
    shim = {
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "CHAOS_CLOCK_FILE": str(file),
    }
    days = [rng.choice((-3650, -30, -1, -0.01, 0.01, 0.9, 30, 3650)) for _ in range(jumps)]
    with _loaded(shop, ledger, **shim) as load:
        for shift in [*days, 0]:
            file.write_text(str(shift * DAY_SECONDS))
            time.sleep(0.2)
            load.await_more()
    file.unlink()
    return Counter(jumps=jumps, answers=load.answers)


@contextlib.contextmanager
def _loaded(shop: Shop, ledger: Ledger, **environment: str) -> Iterator[ServerLoad]:
    """A server with clients; both end by themselves."""
    with Server(shop, **environment) as server:
        load = ServerLoad(server.url, ledger, shop.home.name, rows=100)
        try:
            yield load
        finally:
            load.end()
        server.stop()


def _fill(ballast: Path) -> None:
    with contextlib.suppress(OSError), ballast.open("ab", buffering=0) as file:
        while file.write(BLOCK):
            pass


@contextlib.contextmanager
def no_disk(folder: Path, megabytes: int) -> Iterator[None]:
    """What `tmpfs` gives a user who may not mount."""
    yield None


@contextlib.contextmanager
def tmpfs(folder: Path, megabytes: int) -> Iterator[Path | None]:
    """A small disk in memory; None where this user may not mount any."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", str(folder)]
    is_mounted = (
        shutil.which("mount")
        and not subprocess.run(mount, capture_output=True, check=False).returncode
    )
    try:
        yield folder if is_mounted else None
    finally:
        if is_mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()
