"""Group commit: what waits is written in one transaction, and everybody gets their own rows.

A commit waits for the disk. One thread writes; while it waits for the disk, further batches queue
up and share the next commit, so that a busy server makes a hundred commits a second and not ten
thousand.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from plait.data.types import Event
from plait.errors import NotReadyError, PlaitError
from plait.eventlog import AppendResult, EventLogWriter

__all__ = ["GroupCommitWriter"]


@dataclass(frozen=True, eq=False)
class _Job:
    events: Sequence[Event]
    answer: Future[AppendResult] = field(default_factory=Future)


class GroupCommitWriter:
    """A thread that appends what is submitted to it.

    At most `limit` events go into one commit (a larger batch goes alone); when `waiting` batches
    wait, `submit` blocks, so that a slow disk slows its callers down and does not fill the memory.
    """

    def __init__(self, log: EventLogWriter, *, limit: int = 50_000, waiting: int = 1_000) -> None:
        self._log = log
        self._limit = limit
        self._queue: queue.Queue[_Job | None] = queue.Queue(waiting)
        self._submitting = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="plait-writer", daemon=True)
        self._thread.start()

    def submit(self, events: Sequence[Event]) -> Future[AppendResult]:
        """Hand over a batch; the future is done when it is on disk, or holds the StorageError.

        Raises NotReadyError after `close`.
        """
        job = _Job(events)
        with self._submitting:
            if self._closed:
                raise NotReadyError("the writer is closed", hint="the process is shutting down")
            self._queue.put(job)
        return job.answer

    def append(self, events: Sequence[Event], timeout: float | None = None) -> AppendResult:
        """Like `Log.append`, by way of the group; waits for the commit."""
        return self.submit(events).result(timeout)

    def close(self) -> None:
        """Write what waits, then stop. May be called twice."""
        with self._submitting:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self) -> None:
        job = self._queue.get()
        while job is not None:
            group, job = self._next_group(job)
            running = [one for one in group if one.answer.set_running_or_notify_cancel()]
            if running:
                self._write(running)
            if job is _NOTHING_WAITS:
                job = self._queue.get()

    def _next_group(self, first: _Job) -> tuple[list[_Job], _Job | None]:
        """What waits and fits into one commit, and what was found behind it (None: the end)."""
        group, size = [first], len(first.events)
        while True:
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                return group, _NOTHING_WAITS
            if job is None or size + len(job.events) > self._limit:
                return group, job
            group.append(job)
            size += len(job.events)

    def _write(self, group: list[_Job]) -> None:
        events = [event for job in group for event in job.events]
        try:
            done = self._log.append(events)
        except PlaitError as problem:  # the store refuses: everybody hears of it
            for job in group:
                job.answer.set_exception(problem)
        except Exception as problem:  # noqa: BLE001 one caller's nonsense must not hurt the others
            if len(group) > 1:
                for job in group:
                    self._write([job])
            else:
                group[0].answer.set_exception(problem)
        else:
            start = 0
            for job in group:
                stop = start + len(job.events)
                job.answer.set_result(done._replace(rows=done.rows[start:stop]))
                start = stop


_NOTHING_WAITS = _Job(())
