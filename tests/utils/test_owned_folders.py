"""A temporary folder goes with its owner, and if that was killed, at the next start."""

import stat
import subprocess
import sys

from plait.utils.owned_folders import make_owned_folder, sweep_owned_folders

HOLD = """
import sys, time
from pathlib import Path
from plait.utils.owned_folders import make_owned_folder
print(make_owned_folder("words", Path(sys.argv[1])).path, flush=True)
time.sleep(600)
"""


def holder(base):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(base)], stdout=subprocess.PIPE, text=True
    )
    return process, base / process.stdout.readline().strip()


def test_folder_of_a_killed_owner_is_swept_and_that_of_a_living_one_stays(tmp_path):
    (living, held), (dead, left) = holder(tmp_path), holder(tmp_path)
    (left / "index").mkdir()
    try:
        dead.kill()
        dead.wait()
        assert left.is_dir()
        sweep_owned_folders(tmp_path)
        assert held.is_dir()
        assert not left.exists()
    finally:
        for process in (living, dead):
            process.kill()
            process.wait()
            process.stdout.close()


def test_closed_folder_is_gone_and_was_private(tmp_path):
    folder = make_owned_folder("copy", tmp_path)
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    folder.close()
    assert not list(tmp_path.iterdir())


def test_folders_without_a_lock_of_ours_are_left_alone(tmp_path):
    (tmp_path / "plait-words-foreign").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "owner").touch()
    (tmp_path / "plait-words-link").symlink_to(tmp_path / "elsewhere")
    sweep_owned_folders(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "elsewhere",
        "plait-words-foreign",
        "plait-words-link",
    ]
