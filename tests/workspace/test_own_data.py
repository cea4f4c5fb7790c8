"""One's own split, metrics, trackers and fitted bundles, through a home."""

import json

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import plait
from plait.cli.main import app
from plait.errors import InputError, NotFoundError
from tests.workspace.workspace_fixtures import RECIPE

SMALL = {
    "name": "small",
    "models": {"popular": {}, "neighbours": {}},
    "steps": {"fuse": {}, "rules": {}, "policy": {}},
}


@pytest.fixture(scope="module")
def frames(shop):
    """The shop's own events as frames: the last of each user, the one before, the others."""
    frame = shop.dataset().to_frame().with_row_index("row")
    from_end = pl.len().over("user") - pl.int_range(pl.len()).over("user")
    part = frame.select(from_end)["len"].to_numpy()
    rows = frame.drop("row")
    return {
        "train": rows.filter(part > 2),
        "validation": rows.filter(part == 2),
        "test": rows.filter(part == 1),
    }


def metrics_of(report, row="fused"):
    return {name: interval.value for name, interval in report.result(row).metrics.items()}


def flags(report):
    return {flag.name: flag for flag in report.flags if flag.raised}


def test_frames_give_the_figures_of_leave_one_out(shop, frames):
    own = shop.evaluate(recipes=SMALL, seen="remove", **frames)
    usual = shop.evaluate("leave-one-out", SMALL)
    assert own.protocol.name == "split"
    assert metrics_of(own) == pytest.approx(metrics_of(usual), nan_ok=True)
    assert own.data["items"] == usual.data["items"]


def test_the_catalogue_of_the_home_stays_and_unknown_ids_are_added(shop, frames):
    unknown = {"user": "stranger", "item": "lamp1", "kind": "view"}
    also = {"user": "user1", "item": "unheard", "kind": "view"}
    test = pl.concat(
        [frames["test"].drop("time"), pl.DataFrame([unknown, also])], how="diagonal"
    ).with_columns(pl.lit("2021-01-01T00:00:00Z").alias("time"))
    report = shop.evaluate(recipes=SMALL, train=frames["train"], test=test, k=3)
    assert flags(report)["cold-users"].value == pytest.approx(1 / report.data["queries"])
    lists = report.per_user()
    assert "stranger" in lists["user"].to_list()
    (items,) = lists.filter(pl.col("user") == "stranger")["items"].to_list()
    assert items
    assert shop.dataset().n_items == 20  # the log is as it was


def test_a_temporary_home_measures_data_sets(frames):
    data = plait.Dataset.of(pl.concat(frames.values()))
    train, validation, test = data.split_last(2)
    with plait.open(None) as empty:
        report = empty.evaluate(recipes=SMALL, train=train, validation=validation, test=test, k=5)
        again = empty.evaluate(
            recipes=SMALL,
            train=train.to_frame(),
            validation=validation.to_frame(),
            test=test.to_frame(),
            k=5,
        )
    assert report.data["queries"] == 40
    assert metrics_of(report)["ndcg@5"] == pytest.approx(metrics_of(again)["ndcg@5"])


def test_without_train_the_log_is_the_training_data(shop, frames):
    report = shop.evaluate(recipes=SMALL, test=frames["test"], seen="keep")
    assert report.data["train"] == len(shop.dataset())
    assert flags(report)["leak"].value == 1


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"train": True}, "test"),
        ({"protocol": "time", "test": True}, "protocol"),
        ({"protocol": "split"}, "test"),
        ({"test": "empty"}, "test"),
        ({"test": True, "validation": "missing.csv"}, "validation"),
    ],
)
def test_wrong_parts_are_refused_by_name(shop, frames, options, field):
    values = {"empty": frames["test"].clear(), "missing.csv": "missing.csv"}
    parts = {
        name: frames[name] if value is True else values.get(value, value)
        for name, value in options.items()
    }
    with pytest.raises(InputError) as refused:
        shop.evaluate(recipes=SMALL, **parts)
    assert refused.value.field == field


def test_tune_improves_on_the_validation_data_by_an_own_metric(shop, frames):
    def hits(items, targets):
        return float(len(set(items) & targets))

    seen = []

    def on_trial(trial, best):
        seen.append(trial.number)
        return "stop"

    tuned = shop.tune(
        SMALL,
        only="neighbours.",
        metric=hits,
        trials=3,
        train=frames["train"],
        validation=frames["validation"],
        test=frames["test"],
        on_trial=on_trial,
    )
    assert seen == [0]
    report = shop.evaluate(
        recipes=SMALL, train=frames["train"], test=frames["validation"], metrics=[hits]
    )
    assert tuned.start == pytest.approx(metrics_of(report)["hits"])


def test_tune_needs_validation_data(shop, frames):
    with pytest.raises(InputError) as refused:
        shop.tune(SMALL, train=frames["train"], test=frames["test"], trials=1)
    assert refused.value.field == "validation"


def test_a_bundle_is_measured_without_a_fit_and_flagged_for_what_it_has_seen(shop, frames):
    steps = []
    report = shop.evaluate(
        "leave-one-out",
        bundle="current",
        seen="keep",
        k=(3, 7),
        progress=lambda work, *_: steps.append(work),
    )
    assert not any("fit" in work for work in steps)
    assert flags(report)["fitted-on-test"].value == 1
    assert report.result("fused").fit_seconds == 0
    assert set(report.recipes) == {RECIPE.name}
    deeper = report.measure(k=20)
    assert metrics_of(deeper)["recall@20"] >= metrics_of(report)["recall@7"]
    later = frames["test"].with_columns(pl.lit("lamp9").alias("item")).head(8)
    fresh = shop.evaluate(bundle="current", test=later, seen="remove")
    assert flags(fresh).get("fitted-on-test") is None or flags(fresh)["fitted-on-test"].value < 1


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"bundle": "nonsense"}, NotFoundError),
        ({"bundle": "current", "protocol": "ratings"}, InputError),
        ({"bundle": "current", "seeds": 2}, InputError),
    ],
)
def test_a_bundle_that_cannot_be_measured_is_refused(shop, options, error):
    with pytest.raises(error) as refused:
        shop.evaluate(**options)
    assert refused.value.field == "bundle"


def test_kept_fits_are_measured_again(shop):
    report = shop.evaluate("leave-one-out", SMALL, k=5, keep_fits=True)
    again = report.measure(k=np.int64(3), group="category")
    assert again.protocol.k == (3,)
    assert any(name.startswith("exposure@3|") for name in again.result("fused").metrics)


def test_objects_that_are_no_trackers_are_refused(shop):
    for wrong in (object(), "unknown", 3):
        with pytest.raises(InputError) as refused:
            shop.evaluate("leave-one-out", SMALL, track=wrong)
        assert refused.value.field == "track"


def test_callbacks_must_be_functions(shop):
    for run in (shop.evaluate, shop.tune, shop.fit):
        with pytest.raises(InputError) as refused:
            run(callbacks="stop")
        assert refused.value.field == "callbacks"


def test_the_command_line_measures_files_and_bundles(home, frames, tmp_path):
    options = []
    for name, frame in frames.items():
        path = tmp_path / f"{name}.csv"
        frame.write_csv(path)
        options += [f"--{name}", str(path)]
    out = tmp_path / "result.json"
    recipe = tmp_path / "small.toml"
    recipe.write_text('name = "small"\n[models.popular]\n[steps.fuse]\n')
    base = ["--home", str(home), "--k", "5", "--json", str(out)]
    done = CliRunner().invoke(app, ["evaluate", *base, *options, "--recipe", str(recipe)])
    assert done.exit_code == 0, done.output
    document = json.loads(out.read_text())
    assert document["protocol"]["name"] == "split"
    assert document["data"]["queries"] == 40
    done = CliRunner().invoke(
        app, ["evaluate", *base, "--bundle", "current", "--test", options[-1], "--seen", "keep"]
    )
    assert done.exit_code == 0, done.output
    assert any(flag["name"] == "fitted-on-test" for flag in json.loads(out.read_text())["flags"])
