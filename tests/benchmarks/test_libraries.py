"""The comparison with other libraries: equal data, sealed targets, one evaluator."""

import importlib
import json
import sys
from argparse import Namespace

import numpy as np
import polars as pl
import pytest

from plait.data.ragged import Ragged
from tests.architecture.source_tree import ROOT

FOLDER = ROOT / "benchmarks" / "libraries"
NAMES = ("harness", "export", "score", "table")


@pytest.fixture
def modules():
    """The modules of benchmarks/libraries, which find each other as scripts do."""
    sys.path.insert(0, str(FOLDER))
    try:
        yield Namespace(**{name: importlib.import_module(name) for name in NAMES})
    finally:
        sys.path.remove(str(FOLDER))
        for name in NAMES:
            sys.modules.pop(name, None)


@pytest.fixture
def world(modules, tmp_path):
    """30 users who walk through ten items, each from a place of their own."""
    rows = [(f"u{user}", f"i{(user + step) % 10}", step) for user in range(30) for step in range(5)]
    data = tmp_path / "walk"
    data.mkdir()
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "position"], orient="row")
    frame.write_parquet(data / "interactions.parquet")
    return modules.export.ranking_world(data, tmp_path / "world")


def kit_of(modules, world, out, **more):
    arguments = {"model": "m", "seed": 0, "trials": 3, "patience": 2, "every": 1, "minutes": 1}
    arguments |= {"settings": "{}", "world": world, "out": out, **more}
    out.mkdir(exist_ok=True)
    return modules.harness.Kit(Namespace(**arguments), ("numpy",))


def lists_with_target_at(fold, targets, position):
    """Lists with the target at a place and unseen others elsewhere."""
    lists = np.full((len(fold), 5), -1, np.int32)
    for row, target in enumerate(targets):
        others = np.setdiff1d(np.arange(10), [*fold.history(row), target])[:4]
        lists[row, : len(others) + 1] = np.insert(others, position, target)
    return lists


def test_ranking_world_is_split_leave_one_out(modules, world):
    benchmark = modules.harness.World(world)
    learn, test = benchmark.fold("validation"), benchmark.fold("test")
    assert len(learn) == len(test) == 30
    assert len(benchmark.train["user"]) == 30 * 3
    for row in range(30):
        items = benchmark.train["item"][benchmark.train["user"] == test.users[row]]
        assert learn.history(row).tolist() == items.tolist()
        assert test.history(row).tolist() == [*items, learn.targets[row]]


def test_exported_folder_lacks_the_test_targets(modules, world):
    fold = modules.harness.World(world).fold("test")
    assert fold.targets is None
    assert sorted(path.name for path in world.iterdir()) == [
        "queries.npz",
        "train.npz",
        "world.json",
    ]
    with pytest.raises(ValueError, match="test"):
        modules.harness.measured(np.zeros((30, 5), np.int32), fold)


def test_export_numbers_items_at_random(modules, world):
    benchmark = modules.harness.World(world)
    steps = np.diff(benchmark.train["item"])[
        benchmark.train["user"][1:] == benchmark.train["user"][:-1]
    ]
    assert (steps == 1).mean() < 0.5


def test_result_of_scores_the_best_validation(modules, world, tmp_path):
    kit = kit_of(modules, world, tmp_path / "run")
    targets = np.load(modules.export.sealed(world))["targets"]
    positions = iter((2, 2, 0, 0, 1, 1, 1, 1))

    def ranked(fold):
        fold_targets = fold.targets if fold.name == "validation" else targets
        return lists_with_target_at(fold, fold_targets, next(positions))

    kit.settings({"a": 1})
    kit.train(10, lambda _number: None, ranked)
    kit.write()
    result = modules.score.result_of("toy", tmp_path / "run", world)
    assert [look["epoch"] for look in result["curve"]] == [1, 2, 3, 4]
    assert result["metrics"]["ndcg@10"]["value"] == 1
    assert result["curve"][0]["test"]["ndcg@10"] == pytest.approx(0.5)
    assert result["settings"] == {"a": 1}
    assert result["cut"] is False


def test_training_out_of_time_is_validated_once_more(modules, world, tmp_path):
    kit = kit_of(modules, world, tmp_path / "run", minutes=0.0)
    targets = np.load(modules.export.sealed(world))["targets"]
    kit.train(10, kit.check_time, lambda fold: lists_with_target_at(fold, targets, 0))
    kit.write()
    record = json.loads((tmp_path / "run" / "run.json").read_text("utf-8"))
    assert record["cut"] is True
    assert len(record["looks"]) == 1


def test_result_of_rejects_a_run_on_other_data(modules, world, tmp_path):
    kit = kit_of(modules, world, tmp_path / "run")
    kit.settings({})
    kit.look(1, lambda fold: np.zeros((len(fold), 5), np.int32))
    kit.write()
    about = json.loads((world / "world.json").read_text("utf-8"))
    (world / "world.json").write_text(json.dumps({**about, "hash": "other"}), "utf-8")
    with pytest.raises(ValueError, match="other"):
        modules.score.result_of("toy", tmp_path / "run", world)


def test_list_metrics_remove_seen_and_repeated_items(modules):
    seen = Ragged.from_rows([[7], []])
    lists = np.array([[7, 3, 3, 4, -1], [1, 1, 2, 5, 6]], np.int32)
    metrics = modules.score.list_metrics(lists, np.array([4, 2], np.int32), seen)
    assert metrics["mrr@10"].tolist() == [1 / 2, 1 / 2]
    assert metrics["recall@5"].tolist() == [1, 1]


def test_top_leaves_out_seen_items(modules):
    offsets = np.array([0, 2, 2])
    fold = modules.harness.Fold("test", np.zeros(2, np.int32), np.array([1, 3]), offsets, None)
    scores = np.array([[0.1, 9, 0.3, 9, 0.2], [5, 4, 3, 2, 1]], np.float32)
    assert modules.harness.top(scores, fold, 4).tolist() == [[2, 4, 0, -1], [0, 1, 2, 3]]


def test_tried_starts_with_the_published_settings(modules, world, tmp_path):
    kit = kit_of(modules, world, tmp_path / "run")
    settings = list(kit.tried({"b": 0}, {"a": [1, 2, 3, 4]}))
    assert settings[0] == {"b": 0}
    assert len(settings) == 3
    assert len({trial["a"] for trial in settings[1:]}) == 2
    assert list(kit.tried({}, {})) == [{}]


def test_table_pools_seeds_and_race_reports_what_was_not_reached(modules):
    about = {"data": "walk", "hash": "abc", "queries": 30}

    def result(seed, value, **more):
        span = {"value": value, "low": value - 0.1, "high": value + 0.1}
        record = {"library": "toy", "model": "m", "world": about, "seed": seed, "cut": True}
        record |= {"metrics": {"recall@10": span, "ndcg@10": span}, "peak_mb": 5, "trials": 1}
        record |= {
            "seconds": 9.0,
            "fit_seconds": 8.0,
            "versions": {"toy": "1"},
            "minutes": 60,
            "threads": 2,
        }
        curve = [{"seconds": 5.0, "test": {"recall@10": value}}]
        return {**record, "curve": curve, **more}

    (by_model,) = modules.table.groups([result(0, 0.2), result(1, 0.4)]).values()
    assert "0.3000 ± 0.1414 (2 seeds)" in modules.table.table(by_model)[2]
    assert "not reached in 60 min, at 0.4000" in modules.table.race(by_model, 0.5)[2]
    assert "not reached" in modules.table.race(by_model, 0.3)[2]
    assert "| 5 s |" in modules.table.race(by_model, 0.2)[2]
    ladder = {("toy", "m ladder"): [result(0, 0.9, label="ladder")]}
    assert modules.table.whole({**by_model, **ladder}) == dict(by_model)
    (broken,) = modules.table.groups([{**about, **result(0, 0.2), "error": "x\nno"}]).values()
    assert "`no`" in modules.table.table(broken)[2]
    (silent,) = modules.table.groups([{**about, **result(0, 0.2), "error": ""}]).values()
    assert "`ended without a message`" in modules.table.table(silent)[2]
