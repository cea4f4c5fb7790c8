"""The folder of the meters goes with its server, and if that was killed, with the next one."""

import os
import signal
import subprocess
import sys

import pytest

from plait.server.prometheus_dir import OWNER, PREFIX, shared_meters
from tests.server.server_process import Server, gone_within

HOLD = """
import sys, time
from pathlib import Path
from plait.server.prometheus_dir import shared_meters
with shared_meters(Path(sys.argv[1])) as (folder, lock):
    print(folder, flush=True)
    time.sleep(600)
"""


def holder(base):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(base)], stdout=subprocess.PIPE, text=True
    )
    return process, process.stdout.readline().strip()


def folders(base):
    return sorted(str(path) for path in base.glob(f"{PREFIX}*"))


def test_what_the_dead_left_goes_and_what_lives_stays(tmp_path):
    (tmp_path / f"{PREFIX}of-somebody-else").mkdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / OWNER).touch()
    (tmp_path / f"{PREFIX}link").symlink_to(elsewhere)
    before = folders(tmp_path)
    living, held_folder = holder(tmp_path)
    dead, left = holder(tmp_path)
    try:
        dead.kill()
        dead.wait()
        with shared_meters(tmp_path) as (folder, _):
            assert folders(tmp_path) == sorted([*before, held_folder, str(folder)])
        assert folders(tmp_path) == sorted([*before, held_folder])
        assert (elsewhere / OWNER).exists()
        assert left not in folders(tmp_path)
    finally:
        for process in (living, dead):
            process.kill()
            process.wait()
            process.stdout.close()


@pytest.mark.alone
def test_a_server_that_was_killed_leaves_nothing_for_long(home, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with Server(home, workers=2) as server:
        server.ready()
        everybody = [server.process.pid, *server.workers()]
        left = folders(tmp_path)
        assert len(left) == 1
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()
        assert gone_within(everybody, 15)
    with Server(home, workers=2) as server:
        server.ready()
        assert len(folders(tmp_path)) == 1
        assert folders(tmp_path) != left
        assert server.stop() == 0
    assert folders(tmp_path) == []
