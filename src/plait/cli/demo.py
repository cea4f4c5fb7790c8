"""`plait demo`: ingest, fit, evaluate and serve the embedded data."""

from __future__ import annotations

import fcntl
import json
import shutil
import signal
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

from plait.cli.output import print_lines, score_text
from plait.errors import ConflictError
from plait.utils.progress_bars import bars

__all__ = ["demo", "empty_demo_home"]

USER = "17850"
SEARCH_TEXT = "red retrospot mug"
TEST_DAYS = 28
MARK = "demo"
"""The file that marks the home of a demonstration."""

Titles = dict[str, str]


def demo(
    home: Annotated[
        Path, typer.Option(help="Where the demonstration lives; each one begins anew.")
    ] = Path("demo-home"),
    once: Annotated[bool, typer.Option("--once", help="End by itself.")] = False,
) -> None:
    """Load Online Retail, fit, serve, show what the server answers, and evaluate.

    Args:
        home: The folder of the demonstration; whatever an earlier one left there is deleted.
        once: Stop after the last answer instead of serving until Ctrl-C.

    Raises:
        ConflictError: If `home` is another folder, or another demonstration runs there.
    """
    with empty_demo_home(home):
        titles, last_event = _prepare(home)
        with _server(home) as (url, key):
            _show(url, key, titles, last_event)
            _evaluate(home)
            print_lines("", f"url: {url}", f"key: {key}", "")
            print_lines(*_curl_commands(url, key))
            if not once:
                print_lines("", "The server runs until Ctrl-C.")
                try:
                    signal.pause()
                except KeyboardInterrupt:
                    print_lines()


@contextmanager
def empty_demo_home(home: Path) -> Iterator[None]:
    """Hold the home of a demonstration, emptied of what an earlier one left there.

    Args:
        home: A folder that is new, empty, or marked by an earlier demonstration.

    Yields:
        None, while the folder is locked.

    Raises:
        ConflictError: If `home` is another folder, or another demonstration runs there.
    """
    mark = home / MARK
    if home.exists() and not (home.is_dir() and (mark.is_file() or not any(home.iterdir()))):
        raise ConflictError(
            f"{home} is not empty and not the home of an earlier demonstration",
            hint="name another folder with --home, or delete this one",
        )
    home.mkdir(parents=True, exist_ok=True)
    with mark.open("a", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConflictError(
                f"another demonstration runs in {home}", hint="end it, or name another --home"
            ) from error
        for path in home.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path != mark:
                path.unlink()
        yield


def _prepare(home: Path) -> tuple[Titles, datetime]:
    """Ingest and fit; the titles by item, and the time of the last event."""
    from plait import datasets
    from plait.workspace import open as open_workspace

    with open_workspace(home) as workspace, bars() as advance:
        frames: dict[str, Any] = {**datasets.load("online-retail")}
        imported = workspace.ingest(**frames, progress=advance)
        print_lines(*imported.lines())
        start = time.perf_counter()
        workspace.fit("default", progress=advance)
        print_lines(f"the fit took {time.perf_counter() - start:.0f} s")
    titles = dict(zip(frames["items"]["StockCode"], frames["items"]["Description"], strict=True))
    return titles, max(frames["events"]["InvoiceDate"])


def _evaluate(home: Path) -> None:
    """Print how good the recipe, its models and the baselines are on the last four weeks."""
    from plait.evaluation.reporting.table import print_report
    from plait.workspace import open as open_workspace

    with open_workspace(home) as workspace, bars() as advance:
        report = workspace.evaluate("time", test_days=TEST_DAYS, progress=advance)
    print_lines("", f"how good that is, measured on the last {TEST_DAYS} days")
    print_report(report)


def _show(url: str, key: str, titles: Titles, last_event: datetime) -> None:
    body = {"user": USER, "k": 5}
    before = _post(url, key, "/v1/recommend", body)
    _print(f"recommended to user {USER}", before, titles)
    results = _post(url, key, "/v1/search", {"text": SEARCH_TEXT, "k": 5})
    _print(f'found for "{SEARCH_TEXT}"', results, titles)
    first = before["items"][0]["id"]
    similar = _post(url, key, "/v1/similar", {"item": first, "k": 5})
    _print(f"similar to {first} {titles.get(first, '')}", similar, titles)
    # The data end in 2011: a purchase of today would leave every time window empty.
    purchase_time = (last_event + timedelta(minutes=1)).isoformat()
    purchase = {"id": "demo-purchase", "kind": "purchase", "user": USER, "item": first}
    _post(url, key, "/v1/events", {"events": [{**purchase, "time": purchase_time}]})
    after = _post(url, key, "/v1/recommend", body)
    _print(f"recommended to user {USER} after buying {first}", after, titles)
    old_ids = {item["id"] for item in before["items"]}
    new_ids = [item["id"] for item in after["items"] if item["id"] not in old_ids]
    print_lines(f"  new in the list: {', '.join(new_ids) or 'nothing'}")


def _print(heading: str, response: dict[str, Any], titles: Titles) -> None:
    print_lines("", heading)
    for item in response["items"]:
        why = item["reasons"][0]["text"] if item["reasons"] else ""
        score = score_text(item["score"], "6.2f")
        print_lines(f"  {item['id']:>7}  {titles.get(item['id'], ''):<36} {score}  {why}")


def _curl_commands(url: str, key: str) -> Iterator[str]:
    bodies = {
        "/v1/recommend": {"user": USER, "k": 5},
        "/v1/search": {"text": SEARCH_TEXT, "k": 5},
        "/v1/similar": {"item": "85123A", "k": 5},
    }
    for path, body in bodies.items():
        header = f"-H 'X-API-Key: {key}' -H 'Content-Type: application/json'"
        yield f"curl -s {url}{path} {header} -d '{json.dumps(body)}'"


def _post(url: str, key: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    headers = {"X-API-Key": key, "Content-Type": "application/json"}
    request = urllib.request.Request(url + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        parsed: dict[str, Any] = json.loads(response.read())
    return parsed


@contextmanager
def _server(home: Path) -> Iterator[tuple[str, str]]:
    """A server process on a free port: its URL and key; stopped on leaving."""
    command = [sys.executable, "-P", "-m", "plait", "serve", "--home", str(home), "--port", "0"]
    with (home / "server.log").open("a", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        url = _read_url(process)
        _wait_until_ready(url, process)
        yield url, (home / "key").read_text(encoding="utf-8").strip()
    finally:
        process.terminate()
        process.wait(timeout=30)


def _read_url(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("url: "):
            return line.removeprefix("url: ").strip()
    raise SystemExit("the server ended before it listened")


def _wait_until_ready(url: str, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/ready", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server was not ready within 60 s")
