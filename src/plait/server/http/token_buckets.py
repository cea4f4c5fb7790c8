"""A table of token buckets in memory that all worker processes share.

A bucket is one integer: the moment, on the machine's monotonic clock, at which it will be full
again (the generic cell rate algorithm). Taking tokens moves that moment; nothing has to refill.
"""

from __future__ import annotations

import fcntl
import math
import mmap
import os
import threading
import time
import zlib
from pathlib import Path

__all__ = ["TokenBuckets"]

_SECOND = 1_000_000_000
_BYTES = 8

_MAX_WAIT_NS = 20_000_000
"""How long to wait for the lock of another process."""


class TokenBuckets:
    """Buckets of one rate. Every process that gives the same file shares them.

    Args:
        rate: Tokens a second; 0: no limit.
        window_s: A full bucket holds what so many seconds give.
        count: How many buckets there are.
        path: The file that processes share; None: memory of this process.
    """

    def __init__(self, rate: float, window_s: float, count: int, path: Path | None = None) -> None:
        self._token_ns = _SECOND / rate if rate else 0.0
        self._window_ns = int(window_s * _SECOND)
        self._count = count
        self._file = -1
        if path is not None:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            os.ftruncate(self._file, count * _BYTES)  # a new file is all zeros: full buckets
        self._full_at = memoryview(mmap.mmap(self._file, count * _BYTES)).cast("q")
        self._threads = threading.Lock()

    def take(self, bucket: int, tokens: float, *, on_credit: bool = False) -> float:
        """Take tokens out of a bucket, if it holds so many or is full.

        Args:
            bucket: The number of the bucket, below `count`.
            tokens: How many to take.
            on_credit: Take them even if it holds fewer; the next request waits for the debt.

        Returns:
            0 where the tokens were taken; else the seconds until the bucket holds enough.
        """
        cost_ns = int(tokens * self._token_ns)
        if not cost_ns:
            return 0.0
        with self._threads:
            if self._file >= 0:
                self._lock_file()
            now = time.monotonic_ns()
            full_at = max(self._full_at[bucket], now)
            missing_ns = full_at + min(cost_ns, self._window_ns) - now - self._window_ns
            is_granted = on_credit or missing_ns <= 0
            if is_granted:
                self._full_at[bucket] = full_at + cost_ns
            if self._file >= 0:
                fcntl.flock(self._file, fcntl.LOCK_UN)
        return 0.0 if is_granted else missing_ns / _SECOND

    def _lock_file(self) -> None:
        """Keep other processes out, which hold the lock for a microsecond.

        If one was stopped meanwhile, a request too many may pass after `_MAX_WAIT_NS`: waiting
        longer could stop this server too.
        """
        deadline = time.monotonic_ns() + _MAX_WAIT_NS
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic_ns() > deadline:
                    return
                time.sleep(0)  # lets the other one run
            else:
                return

    def level(self, bucket: int) -> float:
        """Return how many tokens a bucket holds: below 0 where it owes some, infinite without rate.

        Args:
            bucket: The number of the bucket.
        """
        if not self._token_ns:
            return math.inf
        missing_ns = max(0, self._full_at[bucket] - time.monotonic_ns())
        return (self._window_ns - missing_ns) / self._token_ns

    def take_for(self, name: str, tokens: float) -> float:
        """Take tokens out of the bucket of a name; few names share one.

        Args:
            name: Any text, such as the id of a user.
            tokens: How many to take.

        Returns:
            See `take`.
        """
        bucket = zlib.crc32(name.encode("utf-8", "surrogatepass")) % self._count
        return self.take(bucket, tokens)
