"""Group commit: batches that wait are written in one transaction.

A commit waits for the disk. One thread writes; while it waits, further batches queue up and share
the next commit, so that a busy server makes a hundred commits a second and not ten thousand.
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
    future: Future[AppendResult] = field(default_factory=Future)


class GroupCommitWriter:
    """A thread that appends the batches that are submitted to it.

    Args:
        log: The log.
        limit: The most events in one commit; a larger batch is committed alone.
        waiting: The most batches that wait; `submit` blocks then, so that a slow disk slows down
            the callers and does not fill the memory.
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
        """Queue a batch.

        Args:
            events: The events.

        Returns:
            A future that is done when the batch is on disk, or contains the StorageError.

        Raises:
            NotReadyError: After `close`.
        """
        job = _Job(events)
        with self._submitting:
            if self._closed:
                raise NotReadyError("the writer is closed", hint="the process is shutting down")
            self._queue.put(job)
        return job.future

    def append(self, events: Sequence[Event], timeout: float | None = None) -> AppendResult:
        """Append a batch together with others that wait, see `EventLog.append`.

        Args:
            events: The events.
            timeout: How long to wait for the commit, in seconds; None: as long as it takes.

        Returns:
            The outcome of this batch; its chunk holds the events of the whole commit.
        """
        return self.submit(events).result(timeout)

    def close(self) -> None:
        """Write what waits, then stop the thread. May be called twice."""
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
            running = [member for member in group if member.future.set_running_or_notify_cancel()]
            if running:
                self._write(running)
            if job is _QUEUE_EMPTY:
                job = self._queue.get()

    def _next_group(self, first: _Job) -> tuple[list[_Job], _Job | None]:
        """The jobs that fit into one commit, and the next job (None: the writer is closed)."""
        group, size = [first], len(first.events)
        while True:
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                return group, _QUEUE_EMPTY
            if job is None or size + len(job.events) > self._limit:
                return group, job
            group.append(job)
            size += len(job.events)

    def _write(self, group: list[_Job]) -> None:
        try:
            result = self._log.append([event for job in group for event in job.events])
        except Exception as problem:  # noqa: BLE001 set on the future of its caller
            # The store refuses all of them; an invalid batch must not harm the others.
            if len(group) > 1 and not isinstance(problem, PlaitError):
                for job in group:
                    self._write([job])
                return
            for job in group:
                job.future.set_exception(problem)
        else:
            start = 0
            for job in group:
                stop = start + len(job.events)
                job.future.set_result(result._replace(rows=result.rows[start:stop]))
                start = stop


_QUEUE_EMPTY = _Job(())
