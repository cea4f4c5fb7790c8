"""How far one request travels: calls of plait's own functions, and changes of file between them.

    python benchmarks/hops.py [--json] [--list events|recommend] [--source SRC]

One warm `POST /v1/events` with one row and one warm `POST /v1/recommend` (k = 5, recipe
`default`) run against the application in this process, without sockets, under a profiling hook in
every thread. Counted are calls of functions that are defined in files of the package; a change of
file is two calls after each other in one thread whose functions stand in different files. `--list`
prints the calls of a request in order, `--source` counts another checkout of the package.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import itertools
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
KEY = "key-of-the-benchmark"
IDLE_MS = 60_000
"""The poll interval of the follower: far longer than what is measured."""
SETTLE = 0.5
"""Seconds after a response in which other threads finish what it started."""
BACKGROUND = ("plait-bundles", "plait-impressions")
"""Threads that poll, or store what many requests left in one commit."""
COMPREHENSIONS = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"})
"""Frames that Python 3.12 no longer makes, or that resume once an element."""


class Recorder:
    """Notes the calls of one package in every thread that starts after it was installed."""

    def __init__(self, package: Path) -> None:
        self.calls: dict[str, list[CodeType]] = {}
        self.is_recording = False
        self._prefix = f"{package}/"

    def install(self) -> None:
        """Hook into this thread and those to come."""
        threading.setprofile(self._hook)
        sys.setprofile(self._hook)

    def _hook(self, frame: FrameType, event: str, _argument: object) -> None:
        if not self.is_recording or event != "call":
            return
        code = frame.f_code
        if code.co_filename.startswith(self._prefix) and code.co_name not in COMPREHENSIONS:
            self.calls.setdefault(threading.current_thread().name, []).append(code)

    def figures(self) -> dict[str, int]:
        """What was noted, in numbers."""
        threads = [
            calls for thread, calls in self.calls.items() if not thread.startswith(BACKGROUND)
        ]
        codes = [code for calls in threads for code in calls]
        return {
            "calls": len(codes),
            "functions": len(set(codes)),
            "files": len({code.co_filename for code in codes}),
            "file_changes": sum(
                before.co_filename != after.co_filename
                for calls in threads
                for before, after in itertools.pairwise(calls)
            ),
            "threads": len(threads),
        }

    def lines(self) -> list[str]:
        """Every call, thread by thread."""
        return [
            f"{thread:16} {code.co_filename.removeprefix(self._prefix)}:{code.co_name}"
            for thread, calls in self.calls.items()
            for code in calls
        ]


async def post(app: Callable[..., Any], path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """One request through the ASGI interface; SystemExit unless it succeeds."""
    content = json.dumps(body).encode()
    messages: list[dict[str, Any]] = []
    requests = [{"type": "http.request", "body": content, "more_body": False}]

    async def receive() -> dict[str, Any]:
        return requests.pop() if requests else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        messages.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [
            (b"authorization", f"Bearer {KEY}".encode()),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(content)).encode()),
        ],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    await app(scope, receive, send)
    status = messages[0]["status"]
    response = b"".join(message.get("body", b"") for message in messages[1:])
    if status >= 300:
        raise SystemExit(f"{path}: {status} {response.decode()}")
    return json.loads(response)


def fill(workspace: Any) -> None:
    """Three hundred users of three tastes, forty described items, and a fitted default recipe."""
    now = time.time()
    for number in range(40):
        colour = ("red", "green", "blue", "white")[number % 4]
        noun = ("lamp", "mug", "desk")[number % 3]
        workspace.put_item(f"i{number}", {"title": f"{colour} {noun}", "price": 5.5 + number})
    rows = [
        {
            "user": f"u{user}",
            "item": f"i{(user % 3 + 3 * (user // 3 + step)) % 40}",
            "kind": "purchase",
            "time": now - 86_400 * (40 - step),
        }
        for user in range(300)
        for step in range(6)
    ]
    workspace.post(rows)
    workspace.fit("default")


async def measured(app: Any, recorder: Recorder) -> dict[str, Any]:
    """Figures and calls of both requests, after some to warm up."""

    async def recommend() -> None:
        await post(app, "/v1/recommend", {"user": "u7", "k": 5})

    async def event() -> None:
        row = {"user": "u7", "item": "i5", "kind": "view"}
        rows = (await post(app, "/v1/events", {"events": [row]}))["rows"]
        assert rows[0]["status"] == "stored", rows

    results: dict[str, Any] = {}
    for name, request in (("events", event), ("recommend", recommend)):
        for _ in range(3):
            await request()
        await asyncio.sleep(SETTLE)
        recorder.calls = {}
        recorder.is_recording = True
        await request()
        await asyncio.sleep(SETTLE)
        recorder.is_recording = False
        results[name] = {**recorder.figures(), "list": recorder.lines()}
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--list", choices=("events", "recommend"))
    parser.add_argument("--source", type=Path, default=ROOT / "src")
    options = parser.parse_args()
    source = options.source.resolve()
    sys.path.insert(0, str(source))
    recorder = Recorder(source / "plait")
    recorder.install()
    import plait
    from plait.settings import Settings

    is_redesigned = (source / "plait" / "server").is_dir()
    module = "plait.server.http.app" if is_redesigned else "plait.serve.http.app"
    create_app = importlib.import_module(module).create_app
    with tempfile.TemporaryDirectory() as home:
        settings = Settings(home=Path(home), key=KEY, poll_ms=IDLE_MS)
        with plait.open(settings) as workspace:
            fill(workspace)
            workspace.start()
            results = asyncio.run(measured(create_app(settings, workspace), recorder))
    calls = {name: result.pop("list") for name, result in results.items()}
    if options.list:
        print(*calls[options.list], sep="\n")
    elif options.json:
        print(json.dumps(results, indent=2))
    else:
        print(f"{'':12}calls  functions  files  changes of file  threads")
        for name, row in results.items():
            print(
                f"{name:12}{row['calls']:5}  {row['functions']:9}  {row['files']:5}"
                f"  {row['file_changes']:15}  {row['threads']:7}"
            )


if __name__ == "__main__":
    main()
