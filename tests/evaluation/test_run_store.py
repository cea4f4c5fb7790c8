"""The runs of a home: the newest stay, and what is being written is left alone."""

import os
import time
from dataclasses import replace

import pytest

from plait.errors import StorageError
from plait.evaluation.evaluate import evaluate
from plait.evaluation.protocol import Protocol
from plait.evaluation.results.run_store import MAX_RUNS, find_run, read_run, save_run, write_report
from tests.dataset_fixtures import random_rows, world
from tests.evaluation.fake_stages import recipe

REPORT = evaluate(world(random_rows()), [recipe("Counts")], Protocol())
MONTH = 30 * 24 * 3600


def saved(folder, name, keep=MAX_RUNS, age=0.0):
    """A run of this name, saved `age` seconds ago."""
    home = save_run(folder, replace(REPORT, run=name), keep=keep)
    backdated(home / "report.json", age)
    return home


def backdated(path, age):
    when = time.time() - age
    os.utime(path, (when, when))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_save_run_keeps_the_newest_runs(tmp_path):
    for number in range(5):
        saved(tmp_path, f"run-{number}", age=100 - number)
    saved(tmp_path, "last", keep=3)
    assert names(tmp_path) == ["last", "run-3", "run-4"]
    for name in names(tmp_path):
        assert read_run(tmp_path / name / "report.json").name == name


def test_save_run_keeps_a_hundred_runs_by_default(tmp_path):
    for number in range(MAX_RUNS + 2):
        home = tmp_path / f"old-{number:03}"
        home.mkdir()
        (home / "report.json").write_text("{}", encoding="utf-8")
        backdated(home / "report.json", 1000 - number)
    saved(tmp_path, "new")
    assert MAX_RUNS == 100
    assert len(names(tmp_path)) == MAX_RUNS
    assert names(tmp_path)[:2] == ["new", "old-003"]


def test_save_run_keeps_its_own_run_whatever_the_clock(tmp_path):
    later = saved(tmp_path, "later")
    backdated(later / "report.json", -MONTH)
    assert saved(tmp_path, "mine", keep=1).exists()
    assert names(tmp_path) == ["mine"]


def test_save_run_leaves_unfinished_runs_and_other_files(tmp_path):
    for name in ("young", "old", "full"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.npz").write_bytes(b"some")
    (tmp_path / "full" / "notes.txt").write_text("mine", encoding="utf-8")
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    (tmp_path / "elsewhere").symlink_to(tmp_path / "full")
    for name in ("old", "full"):
        backdated(tmp_path / name, MONTH)
    saved(tmp_path, "mine", keep=1)
    assert names(tmp_path) == ["elsewhere", "file", "full", "mine", "young"]
    write_report(tmp_path / "young" / "report.json", replace(REPORT, run="young"))
    assert read_run(tmp_path / "young" / "report.json").hash == REPORT.protocol.hash


def test_write_report_leaves_no_partial_report(tmp_path):
    path = tmp_path / "report.json"
    path.mkdir()
    with pytest.raises(StorageError, match=r"report\.json cannot be written"):
        write_report(path, REPORT)
    assert names(tmp_path) == ["report.json", "report.npz"]


def test_write_report_writes_to_links_and_pipes(tmp_path):
    link, pipe = tmp_path / "link.json", tmp_path / "pipe.json"
    link.symlink_to(tmp_path / "far.json")
    write_report(link, REPORT)
    assert link.is_symlink()
    assert read_run(tmp_path / "far.json").hash == REPORT.protocol.hash
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_report(pipe, replace(REPORT, detail=None))
    assert os.read(reading, 1) == b"{"
    os.close(reading)
    assert pipe.is_fifo()


def test_save_run_skips_a_run_that_cannot_be_removed(tmp_path):
    (tmp_path / "odd" / "report.json").mkdir(parents=True)
    for number in range(2):
        saved(tmp_path, f"run-{number}", keep=1)
    assert names(tmp_path) == ["odd", "run-1"]


def test_find_run_works_after_old_runs_were_removed(tmp_path):
    saved(tmp_path / "runs", "first", age=9)
    saved(tmp_path / "runs", "second", keep=1)
    assert find_run("sec", tmp_path).parent.name == "second"
