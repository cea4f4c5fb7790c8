"""What a worker frees is given back to the system, also where small blocks lie between."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the allocator of other systems is not looked after"
)

GAPS = """
import ctypes, psutil
from plait.server import freed_memory
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
def megabytes():
    return psutil.Process().memory_info().rss >> 20
watcher = freed_memory.FreedMemory()
watcher.give_back()
before = megabytes()
blocks = [libc.malloc(60_000) for _ in range(4000)]
for block in blocks: ctypes.memset(block, 1, 60_000)
full = megabytes()
for block in blocks[:-1]: libc.free(block)  # the last one keeps the allocator from shrinking
retained = megabytes()
{give_back}
print(full - before, retained - before, megabytes() - before)
"""


ENDS = """
import ctypes, psutil, threading
from plait.utils.allocator import limit_free_memory
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
limit_free_memory({limit})
libc.free(libc.malloc(31 << 20))  # by itself the allocator keeps 62 MB from now on
def megabytes():
    return psutil.Process().memory_info().rss >> 20
def work():
    before = megabytes()
    blocks = [libc.malloc(60_000) for _ in range(800)]
    for block in blocks: ctypes.memset(block, 1, 60_000)
    full = megabytes()
    for block in reversed(blocks): libc.free(block)
    print(full - before, megabytes() - before)
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""


def growths(give_back: str) -> list[int]:
    """Megabytes with 240 MB in use, after they were freed, and after `give_back`."""
    program = GAPS.format(give_back=give_back)
    process = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return [int(word) for word in process.stdout.split()]


def test_freed_memory_stays_resident_until_it_is_given_back():
    full, retained, after = growths("assert watcher.give_back()")
    assert full > 200
    assert retained > 200
    assert after < 30


def test_the_thread_gives_freed_memory_back_without_a_call():
    waits = "\n".join(
        (
            "import time",
            "freed_memory.PAUSE = 0.05",
            "watcher.start()",
            "deadline = time.monotonic() + 20",
            "while megabytes() - before > 30 and time.monotonic() < deadline: time.sleep(0.05)",
            "watcher.close()",
        )
    )
    assert growths(waits)[2] <= 30


def test_a_process_that_has_not_grown_is_left_alone():
    program = (
        "from plait.server.freed_memory import FreedMemory; watcher = FreedMemory();"
        " print(watcher.give_back(), watcher.give_back())"
    )
    process = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert process.stdout.split() == ["True", "False"]


def test_the_end_of_the_arena_of_a_thread_stays_resident_beyond_the_limit_only():
    outputs = [
        subprocess.run(
            [sys.executable, "-c", ENDS.format(limit=limit)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for limit in (0, 8 << 20)
    ]
    (full, retained), (limited_full, limited_kept) = (map(int, text.split()) for text in outputs)
    assert min(full, limited_full) > 35
    assert retained > 25
    assert limited_kept < 15
