"""A scenario that damages files of a home: a start works or is refused with an error of Plait."""

from __future__ import annotations

import contextlib
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import tomli_w

from faults.fork_client import run_to_end
from faults.ledger import Ledger
from faults.shops import RECIPE, Shop
from plait.errors import PlaitError

__all__ = ["damage_files"]


def flip(path: Path, rng: random.Random) -> None:
    """Change some bytes."""
    content = bytearray(path.read_bytes())
    for _ in range(rng.randint(1, 20)):
        content[rng.randrange(len(content))] ^= rng.randrange(1, 256)
    path.write_bytes(content)


def cut(path: Path, rng: random.Random) -> None:
    """Cut the end off."""
    with path.open("r+b") as file:
        file.truncate(rng.randrange(path.stat().st_size))


def empty(path: Path, _: random.Random) -> None:
    """Leave the file without a byte."""
    path.write_bytes(b"")


def remove(path: Path, _: random.Random) -> None:
    """Delete the file."""
    path.unlink()


DAMAGES: tuple[Callable[[Path, random.Random], None], ...] = (flip, cut, empty, remove)


def damage_files(shop: Shop, rng: random.Random, ledger: Ledger, rounds: int = 6) -> Counter[str]:
    """Damage a file of a bundle, the name of the current one, or the log of SQLite.

    The copy is then opened, asked and fitted. Where the log is whole, the fit has to work; where it
    is damaged, every step works or raises an error of Plait's own. Nothing may happen to the log of
    the shop itself, which is compared afterwards with what was acknowledged.
    """
    counts: Counter[str] = Counter()
    with shop.open() as workspace:
        version, _ = workspace.post(
            [
                {"id": f"damage-{n}", "kind": "view", "user": "user1", "item": "item-2"}
                for n in range(50)
            ]
        )
    ledger.acknowledge((f"damage-{n}" for n in range(50)), version)
    recipe = shop.home.parent / f"{shop.home.name}.toml"
    recipe.write_text(tomli_w.dumps(RECIPE))
    for turn in range(rounds):
        home = shop.home.parent / f"{shop.home.name}-damaged"
        shutil.copytree(shop.home, home)
        damaged = Shop(home, shop.database)
        is_log = not shop.database and turn % 3 == 0
        files = [path for path in (home / "bundles").rglob("*") if path.is_file()]
        target = _log_file(home) if is_log else rng.choice(sorted(files))
        hurt = rng.choice(DAMAGES)
        hurt(target, rng)
        what = f"{hurt.__name__} {target.relative_to(home)}"
        counts[_asked(damaged, ledger, what)] += 1
        if not is_log:
            run_to_end(damaged, "fit", "--home", str(home), "--recipe", str(recipe))
            if _asked(damaged, ledger, what) != "answered":
                ledger.unexpected.append(f"{what}: no answer after a fit")
        counts["damages"] += 1
        shutil.rmtree(home)
    return counts


def _log_file(home: Path) -> Path:
    """The database of SQLite with everything in it."""
    file = home / "plait.db"
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return file


def _asked(shop: Shop, ledger: Ledger, what: str) -> str:
    """What becomes of a query: "answered", "refused", or noted as unexpected."""
    try:
        with shop.open() as workspace:
            workspace.recommend("user7", k=5)
    except PlaitError:
        return "refused"
    except Exception as problem:  # noqa: BLE001  whatever else comes out is a fault
        ledger.unexpected.append(f"{what}: {type(problem).__name__}: {problem}")
        return "unexpected"
    return "answered"
