"""Forks processes that have imported Plait, so that what is killed is at work, not importing.

    python fork_server.py

Reads a JSON object a line and answers one a line:

    {"run": "write", "arguments": [LOCATION, NAME], "environment": {}, "output": FILE} -> {"pid": 7}
    {"run": "plait", "arguments": ["fit", ...], ...}                                   -> {"pid": 8}
    {"wait": 7, "seconds": 1.5}                   -> {"status": 0}; null: it still runs

Both outputs of a process go to the file, which a kill leaves as it is.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import sys
import time
import traceback
from typing import Any

import plait.cli.main
import plait.models.content
import plait.models.item_item.neighbours
import plait.models.popularity.popular
import plait.retrieval.lexical
import plait.training.pipeline_fit
import plait.workspace.workspace
from plait.data.types import Event
from plait.eventlog import EventLog


def write(location: str, name: str) -> None:
    """Append batches of 1 to 400 events for ever; prints how many are acknowledged and the version.

    The events are NAME-0, NAME-1 ...; one event a batch has an id that all writers use.
    """
    rng = random.Random(name)
    log = EventLog.open(location)
    print("open", flush=True)
    number = 0
    while True:
        size = rng.choice([1, 1, 1, 7, 400])
        batch = [
            Event(
                "interaction", f"{name}-{n}", f"kind{n % 3}", f"user{n % 50}", f"item-{n % 99}", n
            )
            for n in range(number, number + size)
        ]
        batch.append(Event("interaction", f"shared-{number}", "view", "user0", "item0", 1))
        done = log.append(batch)
        assert all(row.status in ("stored", "duplicate") for row in done.rows), done.rows
        number += size
        print(number, done.version, flush=True)


def run_command(*arguments: str) -> None:
    """Run a command of Plait."""
    sys.argv = ["plait", *arguments]
    plait.cli.main.main()


TASKS = {"write": write, "plait": run_command}


def forked(request: dict[str, Any]) -> int:
    """The process id of a child that does what the request says."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.environ.update(request["environment"])
        TASKS[request["run"]](*request["arguments"])
        status = 0
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except BaseException:  # noqa: BLE001  a child must never return into the loop of its parent
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
        os._exit(status)


def waited(pid: int, seconds: float) -> int | None:
    """The exit status of a child, negative for a signal; None if it still runs."""
    deadline = time.monotonic() + seconds
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= deadline:
            return None
        time.sleep(0.002)


def main() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            answer: dict[str, Any] = {"status": waited(request["wait"], request["seconds"])}
        else:
            answer = {"pid": forked(request)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
