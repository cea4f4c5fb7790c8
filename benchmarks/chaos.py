"""Kill, cut off, fill up, turn the clock, damage: is everything acknowledged still there, once?

    python benchmarks/chaos.py [--cycles 20] [--minutes 60] [--seed 1] [--out DIR] [--json]

A cycle takes a fresh shop on SQLite or PostgreSQL through one scenario, then compares its log with
what clients were told was stored: no acknowledged event lost, none twice, offsets without a gap,
erased users gone, descriptions as new as acknowledged, every start works. With --out each cycle is
written to DIR/cycles.jsonl, and a later run with the same seed goes on behind the last one. The
exit status is 1 if anything was wrong.

A disk is filled as a tmpfs, which needs the right to mount; without it files of the server are
limited (RLIMIT_FSIZE), on SQLite only. The clock is moved for the server's Python code (`time.time`
and `time.time_ns`), not for the database.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from faults.damage import damage_files
from faults.kills import kill_fits, kill_imports, kill_servers, kill_writers
from faults.ledger import Ledger, compare
from faults.outages import cut_sessions, fill_disk, jump_clock, limit_files, tmpfs
from faults.shops import POSTGRES, SQLITE, PostgresShops, Shop, SqliteShops, running_postgres

SCENARIOS = {
    "kill writers": kill_writers,
    "kill servers": kill_servers,
    "kill imports": kill_imports,
    "kill fits": kill_fits,
    "jump the clock": jump_clock,
    "damage files": damage_files,
}
ON_POSTGRES = "cut sessions"
FILLING = "fill the disk"
DISK_MEGABYTES = {SQLITE: 64, POSTGRES: 256}


class Chaos:
    """Runs cycles.

    Args:
        scratch: Where shops lie.
        seed: Of everything random.
    """

    def __init__(self, scratch: Path, seed: int) -> None:
        self._scratch, self._seed = scratch, seed
        self._exits = contextlib.ExitStack()
        self._shops: dict[str, SqliteShops | PostgresShops] = {}

    def __enter__(self) -> Chaos:
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    def run(self, number: int, scenario: str, store: str, **options: int) -> dict[str, Any]:
        """One cycle: a scenario on a fresh shop, then the comparison.

        Args:
            number: Of the cycle; with the seed it decides everything random.
            scenario: A key of `SCENARIOS`, `ON_POSTGRES` or `FILLING`.
            store: `SQLITE` or `POSTGRES`.
            options: How often the scenario does what it does.
        """
        ledger, start = Ledger(), time.monotonic()
        rng = random.Random(f"{self._seed}-{number}")
        with self._shop(scenario, store) as (shop, more):
            counts = self._broken(scenario, shop, rng, ledger, more | options)
            verdict = compare(shop.location, ledger)
        return {
            "cycle": number,
            "scenario": scenario,
            "store": store,
            "seconds": round(time.monotonic() - start, 1),
            "acknowledged": len(ledger.events),
            "items": len(ledger.serials),
            "erased": len(ledger.erased),
            "counts": dict(counts),
            "wrong": {name: number for name, number in vars(verdict).items() if number},
            "unexpected": ledger.unexpected[:10],
        }

    def _broken(
        self, scenario: str, shop: Shop, rng: random.Random, ledger: Ledger, more: dict[str, Any]
    ) -> Counter[str]:
        """What the scenario counted; its own failure is noted as unexpected."""
        run = (
            SCENARIOS.get(scenario)
            or {
                ON_POSTGRES: cut_sessions,
                FILLING: fill_disk if "disk" in more else limit_files,
            }[scenario]
        )
        try:
            return run(shop, rng, ledger, **more)
        except (AssertionError, subprocess.SubprocessError) as failure:
            ledger.unexpected.append(str(failure)[:1000])
            return Counter()

    @contextlib.contextmanager
    def _shop(self, scenario: str, store: str) -> Iterator[tuple[Shop, dict[str, Any]]]:
        """A fresh shop, and what else the scenario needs."""
        if scenario == FILLING:
            with self._shop_on_small_disk(store) as filled:
                yield filled
            return
        shops = self._shops_of(store)
        shop = shops.new()
        try:
            yield shop, {"postgres": shops.server} if scenario == ON_POSTGRES else {}
        finally:
            shops.drop(shop)

    @contextlib.contextmanager
    def _shop_on_small_disk(self, store: str) -> Iterator[tuple[Shop, dict[str, Any]]]:
        disk = self._scratch / f"disk-{time.monotonic_ns()}"
        with contextlib.ExitStack() as exits:
            mounted = exits.enter_context(tmpfs(disk, DISK_MEGABYTES[store]))
            if store == SQLITE:
                folder = mounted or self._scratch / "limited"
                shops: SqliteShops | PostgresShops = SqliteShops(folder)
                more = {"disk": mounted, "start": _nothing} if mounted else {}
            else:
                server = exits.enter_context(running_postgres(disk))
                shops = PostgresShops(self._scratch / disk.name.replace("disk", "homes"), server)
                more = {"disk": mounted, "start": server.start}
            shop = shops.new()
            try:
                yield shop, more
            finally:
                shops.drop(shop)

    def _shops_of(self, store: str) -> SqliteShops | PostgresShops:
        if store not in self._shops:
            folder = self._scratch / store
            folder.mkdir()
            if store == SQLITE:
                self._shops[store] = SqliteShops(folder)
            else:
                server = self._exits.enter_context(running_postgres(folder))
                self._shops[store] = PostgresShops(folder, server)
        return self._shops[store]


def _nothing() -> None:
    """A log in a file needs no start."""


def plan(stores: list[str], may_mount: bool) -> list[tuple[str, str]]:
    """What the cycles do in turn; writers and servers come up most often."""
    often = ["kill writers", "kill servers"]
    scenarios = [*often, "kill imports", *often, "kill fits", *often, "jump the clock"]
    scenarios += [*often, FILLING, *often, "damage files", *often, ON_POSTGRES]
    return [
        (scenario, store)
        for scenario in scenarios
        for store in stores
        if store == POSTGRES or scenario != ON_POSTGRES
        if store == SQLITE or scenario != FILLING or may_mount
    ]


def summary(cycles: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sums by scenario and store."""
    sums: dict[tuple[str, str], dict[str, Any]] = {}
    for cycle in cycles:
        key = cycle["scenario"], cycle["store"]
        row = sums.setdefault(
            key, {"scenario": key[0], "store": key[1], "counts": Counter(), "wrong": Counter()}
        )
        row["cycles"] = row.get("cycles", 0) + 1
        row["counts"].update(cycle["counts"])
        row["wrong"].update(cycle["wrong"])
        for name in ("seconds", "acknowledged", "items", "erased"):
            row[name] = round(row.get(name, 0) + cycle[name], 1)
        row["unexpected"] = row.get("unexpected", 0) + len(cycle["unexpected"])
    return [sums[key] for key in sorted(sums)]


def report(rows: list[dict[str, Any]]) -> None:
    """Print the sums as a table in Markdown."""
    head = ("scenario", "store", "cycles", "what happened", "events", "lost", "twice", "gaps")
    print(f"| {' | '.join(head)} | other |")
    print("|---" * len(head) + "|---|")
    for row in rows:
        happened = ", ".join(f"{count} {name}" for name, count in sorted(row["counts"].items()))
        wrong = row["wrong"]
        other = row["unexpected"] + wrong["unindexed"] + wrong["behind"] + wrong["undead"]
        cells = (row["scenario"], row["store"], row["cycles"], happened, f"{row['acknowledged']:,}")
        errors = (wrong["lost"], wrong["twice"], wrong["gaps"], other)
        print(f"| {' | '.join(map(str, cells + errors))} |")
    kills = sum(row["counts"]["kills"] for row in rows)
    events = sum(row["acknowledged"] for row in rows)
    print(f"\n{kills} processes killed, {events:,} events acknowledged")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cycles", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=60, help="start no cycle after that")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--store", choices=(SQLITE, POSTGRES), help="only this one")
    parser.add_argument("--scenario", action="append", help="only these; may be repeated")
    parser.add_argument("--out", type=Path, help="where cycles are written and read again")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    log = options.out / f"cycles-{options.seed}.jsonl" if options.out else Path(os.devnull)
    log.parent.mkdir(parents=True, exist_ok=True)
    cycles = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    stores = [options.store] if options.store else [SQLITE, POSTGRES]
    steps = plan(stores, os.geteuid() == 0)
    steps = [step for step in steps if not options.scenario or step[0] in options.scenario]
    deadline = time.monotonic() + 60 * options.minutes
    with (
        tempfile.TemporaryDirectory(prefix="plait-chaos-") as scratch,
        Chaos(Path(scratch), options.seed) as chaos,
        log.open("a") as file,
    ):
        for number in range(len(cycles), options.cycles):
            if time.monotonic() > deadline:
                break
            cycle = chaos.run(number, *steps[number % len(steps)])
            cycles.append(cycle)
            file.write(json.dumps(cycle) + "\n")
            file.flush()
            print(json.dumps(cycle), file=sys.stderr)
    rows = summary(cycles)
    if options.json:
        print(json.dumps(rows, indent=1))
    else:
        report(rows)
    return int(any(row["unexpected"] or row["wrong"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
