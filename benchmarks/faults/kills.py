"""Scenarios that kill processes with SIGKILL: writers of a log, servers, imports, fits."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from faults.fork_client import ForkedProcess, run_to_end
from faults.ledger import Ledger
from faults.server_load import ServerLoad
from faults.server_process import Server, is_gone
from faults.shops import Shop

__all__ = ["kill_fits", "kill_imports", "kill_servers", "kill_writers"]

DRAIN_SECONDS = 90
"""Workers finish what is under way for half a minute, on a busy machine for longer."""

SECONDS = {"ingest": 4.0, "fit": 4.0}
"""How long a command takes; corrected by each that is let run."""


def kill_writers(
    shop: Shop, rng: random.Random, ledger: Ledger, rounds: int = 5, first: int = 0
) -> Counter[str]:
    """Three processes append to one log; some die while they open it, others while they write."""
    counts: Counter[str] = Counter()
    for turn in range(first, first + rounds):
        names = [f"{shop.home.name}-{turn}.{index}" for index in range(3)]
        writers = {name: ForkedProcess(shop, "write", shop.location, name) for name in names}
        while turn % 3 and not all(writer.output() for writer in writers.values()):
            time.sleep(0.01)
        time.sleep(rng.uniform(0.0, 0.6))
        rng.shuffle(names)
        for name in names:
            time.sleep(rng.uniform(0.0, 0.1))
            counts["kills"] += 1
            for number, version in _acknowledged(writers[name].kill()):
                ledger.acknowledge((f"{name}-{n}" for n in range(number)), version)
    return counts


def _acknowledged(printed: str) -> Iterator[tuple[int, int]]:
    """The (events, version) of each append that a writer printed; the last line may be cut off."""
    for line in printed.splitlines(keepends=True):
        if line.endswith("\n") and line != "open\n":
            number, version = line.split()
            yield int(number), int(version)


def kill_servers(shop: Shop, rng: random.Random, ledger: Ledger, rounds: int = 2) -> Counter[str]:
    """Clients write to a server; workers, the parent or all are killed, then it starts again."""
    counts: Counter[str] = Counter()
    load: ServerLoad | None = None
    try:
        for _ in range(rounds):
            workers = rng.choice((1, 2))
            with Server(shop, workers) as server:
                counts["starts"] += 1
                if load is None:
                    load = ServerLoad(server.url, ledger, shop.home.name)
                load.url = server.url
                load.await_more()
                time.sleep(rng.uniform(0.0, 0.8))
                pids = server.workers()
                if pids and rng.random() < 0.5:
                    os.kill(rng.choice(pids), signal.SIGKILL)
                    counts["kills"] += 1
                    load.await_more()
                pids = [server.process.pid, *server.workers()]
                victims = pids if rng.random() < 0.5 else pids[:1]
                for pid in victims:
                    os.kill(pid, signal.SIGKILL)
                counts["kills"] += len(victims)
                server.process.wait()
                if not is_gone(pids, DRAIN_SECONDS):
                    ledger.unexpected.append("workers outlive their parent")
        with Server(shop) as server:
            counts["starts"] += 1
            load.url = server.url
            load.await_more()
            load.end()
            server.stop()
        counts["answers"] = load.answers
    finally:
        if load is not None:
            load.end()
    return counts


def kill_imports(shop: Shop, rng: random.Random, ledger: Ledger, rounds: int = 5) -> Counter[str]:
    """`plait ingest` of a file is killed several times; a whole run then stores each row once."""
    counts: Counter[str] = Counter()
    file = shop.home.parent / f"{shop.home.name}.csv"
    ids = _write_events(file, shop.home.name, 20_000)
    try:
        for _ in range(rounds):
            arguments = ("ingest", "--home", str(shop.home), "--events", str(file))
            process = ForkedProcess(shop, "plait", *arguments)
            counts["kills"] += process.kill_after(rng.uniform(0.0, SECONDS["ingest"]))
        _complete("ingest", shop, *arguments[1:])
    finally:
        file.unlink()
    ledger.acknowledge(ids, 0)
    return counts


def kill_fits(shop: Shop, rng: random.Random, ledger: Ledger, rounds: int = 5) -> Counter[str]:
    """`plait fit` is killed; after each the bundle in use is whole and answers; then one works."""
    counts: Counter[str] = Counter()
    arguments = ("fit", "--home", str(shop.home))
    for _ in range(rounds):
        process = ForkedProcess(shop, "plait", *arguments)
        counts["kills"] += process.kill_after(rng.uniform(0.0, SECONDS["fit"]))
        with shop.open() as workspace:
            bundle = workspace.recommend("user7", k=5).bundle
            counts["answers"] += 1
            whole = {entry["id"] for entry in workspace.bundles()}
        if bundle not in whole:
            ledger.unexpected.append(f"the bundle {bundle} in use is not listed")
    with shop.open() as workspace:
        before = workspace.recommend("user7", k=5).bundle
    _complete("fit", shop, *arguments[1:])
    with shop.open() as workspace:
        if workspace.recommend("user7", k=5).bundle == before:
            ledger.unexpected.append("a fit after the kills is not in use")
    return counts


def _complete(name: str, shop: Shop, *arguments: str) -> None:
    """Let a command run to its end, and note how long it takes."""
    start = time.monotonic()
    run_to_end(shop, name, *arguments)
    SECONDS[name] = time.monotonic() - start


def _write_events(file: Path, name: str, count: int) -> list[str]:
    ids = [f"row-{name}-{n}" for n in range(count)]
    lines = (
        f"{event},user{n % 300},item-{n % 120},view,{1_700_000_000 + n}\n"
        for n, event in enumerate(ids)
    )
    file.write_text("id,user,item,kind,time\n" + "".join(lines))
    return ids
