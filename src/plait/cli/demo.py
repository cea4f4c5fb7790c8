"""`plait demo`: the whole road on the embedded data, ending in a server to play with."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from plait.cli.options import score_text
from plait.cli.progress import bars
from plait.errors import ConflictError

__all__ = ["demo"]

USER = "17850"
WORDS = "red retrospot mug"
DAYS = 28
MARK = "demo"
"""The file by which a demonstration knows its own home."""

Titles = dict[str, str]


def demo(
    home: Annotated[
        Path, typer.Option(help="Where the demonstration lives; each one begins anew.")
    ] = Path("demo-home"),
    once: Annotated[bool, typer.Option("--once", help="End by itself.")] = False,
) -> None:
    """Load Online Retail, fit, evaluate, serve, and show what the server answers."""
    with _own(home):
        titles, last = _prepare(home)
        with _server(home) as (url, key):
            _show(url, key, titles, last)
            print(f"\nurl: {url}\nkey: {key}\n")
            for line in _curls(url, key):
                print(line)
            if not once:
                print("\nThe server runs until Ctrl-C.")
                _wait()


@contextmanager
def _own(home: Path) -> Iterator[None]:
    """Empty the home of an earlier demonstration, so that its purchase does not pile up.

    ConflictError if it is anybody else's folder, or another demonstration runs there.
    """
    mark = home / MARK
    if home.exists() and not (home.is_dir() and (mark.is_file() or not any(home.iterdir()))):
        raise ConflictError(
            f"{home} is not the home of a demonstration, which begins with an empty one",
            hint="name another folder with --home, or delete this one",
        )
    home.mkdir(parents=True, exist_ok=True)
    with mark.open("a", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            raise ConflictError(
                f"another demonstration runs in {home}", hint="end it, or name another --home"
            ) from problem
        for one in home.iterdir():
            if one.is_dir():
                shutil.rmtree(one)
            elif one != mark:
                one.unlink()
        yield


def _prepare(home: Path) -> tuple[Titles, datetime]:
    """Ingest, fit and evaluate; the titles by item, and the time of the last event."""
    from plait import datasets
    from plait.evaluation.reporting.table import print_report
    from plait.workspace import open as open_shop

    with open_shop(home) as shop, bars() as advance:
        frames = datasets.load("online-retail")
        receipt = shop.ingest(**frames, progress=advance)
        print("\n".join(receipt.lines()))
        start = time.perf_counter()
        shop.fit("default", progress=advance)
        report = shop.evaluate("time", test_days=DAYS, progress=advance)
        seconds = time.perf_counter() - start
    print_report(report)
    print(f"fit and evaluation took {seconds:.0f} s")
    titles = dict(zip(frames["items"]["StockCode"], frames["items"]["Description"], strict=True))
    return titles, max(frames["events"]["InvoiceDate"])


def _show(url: str, key: str, titles: Titles, last: datetime) -> None:
    ask = {"user": USER, "k": 5}
    before = _post(url, key, "/v1/recommend", ask)
    _print(f"recommended to user {USER}", before, titles)
    _print(f'found for "{WORDS}"', _post(url, key, "/v1/search", {"text": WORDS, "k": 5}), titles)
    first = before["items"][0]["id"]
    similar = _post(url, key, "/v1/similar", {"item": first, "k": 5})
    _print(f"similar to {first} {titles.get(first, '')}", similar, titles)
    # The data end in 2011: a purchase of today would be a year of nothing for every time window.
    moment = (last + timedelta(minutes=1)).isoformat()
    buy = {"id": "demo-purchase", "kind": "purchase", "user": USER, "item": first}
    _post(url, key, "/v1/events", {"events": [{**buy, "time": moment}]})
    after = _post(url, key, "/v1/recommend", ask)
    _print(f"recommended to user {USER} after buying {first}", after, titles)
    old, new = ([item["id"] for item in one["items"]] for one in (before, after))
    print(f"  new in the list: {', '.join(one for one in new if one not in old) or 'nothing'}")


def _print(heading: str, answer: dict[str, Any], titles: Titles) -> None:
    print(f"\n{heading}")
    for item in answer["items"]:
        why = item["reasons"][0]["text"] if item["reasons"] else ""
        score = score_text(item["score"], "6.2f")
        print(f"  {item['id']:>7}  {titles.get(item['id'], ''):<36} {score}  {why}")


def _curls(url: str, key: str) -> Iterator[str]:
    bodies = {
        "/v1/recommend": {"user": USER, "k": 5},
        "/v1/search": {"text": WORDS, "k": 5},
        "/v1/similar": {"item": "85123A", "k": 5},
    }
    for path, body in bodies.items():
        header = f"-H 'X-API-Key: {key}' -H 'Content-Type: application/json'"
        yield f"curl -s {url}{path} {header} -d '{json.dumps(body)}'"


def _post(url: str, key: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    headers = {"X-API-Key": key, "Content-Type": "application/json"}
    request = urllib.request.Request(url + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: dict[str, Any] = json.loads(answer.read())
    return found


@contextmanager
def _server(home: Path) -> Iterator[tuple[str, str]]:
    """A server process on a free port: its URL and key; stopped on leaving."""
    command = [sys.executable, "-m", "plait", "serve", "--home", str(home), "--port", "0"]
    with (home / "server.log").open("a", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        url = _url(process)
        _until_ready(url, process)
        yield url, (home / "key").read_text(encoding="utf-8").strip()
    finally:
        process.terminate()
        process.wait(timeout=30)


def _url(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("url: "):
            return line.removeprefix("url: ").strip()
    raise SystemExit("the server ended before it listened")


def _until_ready(url: str, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/ready", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server did not get ready")


def _wait() -> None:
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        print()
