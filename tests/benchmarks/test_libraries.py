"""What the comparison with peers rests on: equal worlds, sealed targets, lists counted alike."""

import importlib
import json
import sys
from argparse import Namespace

import numpy as np
import polars as pl
import pytest

from plait.data.ragged import Ragged
from tests.architecture.source_tree import ROOT

PEERS = ROOT / "benchmarks" / "libraries"
NAMES = ("harness", "export", "score", "table")


@pytest.fixture
def peers():
    """The modules of benchmarks/libraries, which find each other as scripts do."""
    sys.path.insert(0, str(PEERS))
    try:
        yield Namespace(**{name: importlib.import_module(name) for name in NAMES})
    finally:
        sys.path.remove(str(PEERS))
        for name in NAMES:
            sys.modules.pop(name, None)


@pytest.fixture
def world(peers, tmp_path):
    """30 users who walk through ten items, each from a place of their own."""
    rows = [(f"u{user}", f"i{(user + step) % 10}", step) for user in range(30) for step in range(5)]
    data = tmp_path / "walk"
    data.mkdir()
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "position"], orient="row")
    frame.write_parquet(data / "interactions.parquet")
    return peers.export.ranking_world(data, tmp_path / "world")


def kit_of(peers, world, out, **more):
    given = {"model": "m", "seed": 0, "trials": 3, "patience": 2, "every": 1, "minutes": 1}
    given |= {"settings": "{}", "world": world, "out": out, **more}
    out.mkdir(exist_ok=True)
    return peers.harness.Kit(Namespace(**given), ("numpy",))


def knowing(fold, targets, place):
    """Lists with the target at a place and unseen others elsewhere."""
    lists = np.full((len(fold), 5), -1, np.int32)
    for row, target in enumerate(targets):
        others = np.setdiff1d(np.arange(10), [*fold.history(row), target])[:4]
        lists[row, : len(others) + 1] = np.insert(others, place, target)
    return lists


def test_world_is_leave_one_out(peers, world):
    found = peers.harness.World(world)
    learn, test = found.fold("validation"), found.fold("test")
    assert len(learn) == len(test) == 30
    assert len(found.train["user"]) == 30 * 3
    for row in range(30):
        mine = found.train["item"][found.train["user"] == test.users[row]]
        assert learn.history(row).tolist() == mine.tolist()
        assert test.history(row).tolist() == [*mine, learn.targets[row]]


def test_peers_never_see_the_targets_of_the_test(peers, world):
    found = peers.harness.World(world).fold("test")
    assert found.targets is None
    assert sorted(one.name for one in world.iterdir()) == [
        "queries.npz",
        "train.npz",
        "world.json",
    ]
    with pytest.raises(ValueError, match="not known"):
        peers.harness.measured(np.zeros((30, 5), np.int32), found)


def test_items_are_not_numbered_as_they_come(peers, world):
    found = peers.harness.World(world)
    steps = np.diff(found.train["item"])[found.train["user"][1:] == found.train["user"][:-1]]
    assert (steps == 1).mean() < 0.5


def test_a_run_is_scored_by_its_best_look(peers, world, tmp_path):
    kit = kit_of(peers, world, tmp_path / "run")
    targets = np.load(peers.export.sealed(world))["targets"]
    places = iter((2, 2, 0, 0, 1, 1, 1, 1))

    def ranked(fold):
        told = fold.targets if fold.name == "validation" else targets
        return knowing(fold, told, next(places))

    kit.settings({"a": 1})
    kit.train(10, lambda _number: None, ranked)
    kit.write()
    found = peers.score.result_of("toy", tmp_path / "run", world)
    assert [look["epoch"] for look in found["curve"]] == [1, 2, 3, 4]
    assert found["metrics"]["ndcg@10"]["value"] == 1
    assert found["curve"][0]["test"]["ndcg@10"] == pytest.approx(0.5)
    assert found["settings"] == {"a": 1}
    assert found["cut"] is False


def test_a_training_is_cut_off_and_looked_at(peers, world, tmp_path):
    kit = kit_of(peers, world, tmp_path / "run", minutes=0.0)
    targets = np.load(peers.export.sealed(world))["targets"]
    kit.train(10, kit.check_time, lambda fold: knowing(fold, targets, 0))
    kit.write()
    told = json.loads((tmp_path / "run" / "run.json").read_text("utf-8"))
    assert told["cut"] is True
    assert len(told["looks"]) == 1


def test_another_world_is_refused(peers, world, tmp_path):
    kit = kit_of(peers, world, tmp_path / "run")
    kit.settings({})
    kit.look(1, lambda fold: np.zeros((len(fold), 5), np.int32))
    kit.write()
    about = json.loads((world / "world.json").read_text("utf-8"))
    (world / "world.json").write_text(json.dumps({**about, "hash": "other"}), "utf-8")
    with pytest.raises(ValueError, match="not other"):
        peers.score.result_of("toy", tmp_path / "run", world)


def test_seen_items_and_repetitions_leave_a_list(peers):
    seen = Ragged.from_rows([[7], []])
    lists = np.array([[7, 3, 3, 4, -1], [1, 1, 2, 5, 6]], np.int32)
    found = peers.score.list_metrics(lists, np.array([4, 2], np.int32), seen)
    assert found["mrr@10"].tolist() == [1 / 2, 1 / 2]
    assert found["recall@5"].tolist() == [1, 1]


def test_top_leaves_out_what_was_seen(peers):
    offsets = np.array([0, 2, 2])
    fold = peers.harness.Fold("test", np.zeros(2, np.int32), np.array([1, 3]), offsets, None)
    scores = np.array([[0.1, 9, 0.3, 9, 0.2], [5, 4, 3, 2, 1]], np.float32)
    assert peers.harness.top(scores, fold, 4).tolist() == [[2, 4, 0, -1], [0, 1, 2, 3]]


def test_trials_start_with_the_defaults(peers, world, tmp_path):
    kit = kit_of(peers, world, tmp_path / "run")
    found = list(kit.tried({"b": 0}, {"a": [1, 2, 3, 4]}))
    assert found[0] == {"b": 0}
    assert len(found) == 3
    assert len({one["a"] for one in found[1:]}) == 2
    assert list(kit.tried({}, {})) == [{}]


def test_table_pools_seeds_and_says_what_was_not_reached(peers):
    about = {"data": "walk", "hash": "abc", "queries": 30}

    def result(seed, value, **more):
        span = {"value": value, "low": value - 0.1, "high": value + 0.1}
        told = {"peer": "toy", "model": "m", "world": about, "seed": seed, "cut": True}
        told |= {"metrics": {"recall@10": span, "ndcg@10": span}, "peak_mb": 5, "trials": 1}
        told |= {
            "seconds": 9.0,
            "fit_seconds": 8.0,
            "versions": {"toy": "1"},
            "minutes": 60,
            "threads": 2,
        }
        curve = [{"seconds": 5.0, "test": {"recall@10": value}}]
        return {**told, "curve": curve, **more}

    (found,) = peers.table.groups([result(0, 0.2), result(1, 0.4)]).values()
    assert "0.3000 ± 0.1414 (2 seeds)" in peers.table.table(found)[2]
    assert "not reached in 60 min, at 0.4000" in peers.table.race(found, 0.5)[2]
    assert "not reached" in peers.table.race(found, 0.3)[2]
    assert "| 5 s |" in peers.table.race(found, 0.2)[2]
    ladder = {("toy", "m ladder"): [result(0, 0.9, label="ladder")]}
    assert peers.table.whole({**found, **ladder}) == dict(found)
    (broken,) = peers.table.groups([{**about, **result(0, 0.2), "error": "x\nno"}]).values()
    assert "`no`" in peers.table.table(broken)[2]
    (silent,) = peers.table.groups([{**about, **result(0, 0.2), "error": ""}]).values()
    assert "`ended without a word`" in peers.table.table(silent)[2]
