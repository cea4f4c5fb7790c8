"""What is measured is what is served; and the command that measures."""

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

import plait
from plait.cli.main import app
from plait.errors import InputError, ProtocolError
from plait.evaluation.evaluate import evaluate
from plait.evaluation.protocol import Protocol
from plait.evaluation.ranking.rank_queries import state_view_of
from plait.pipeline.recipe import Recipe, load_recipe
from plait.splitting.splits import leave_one_out
from plait.training.pipeline_fit import fit_recipe
from tests.dataset_fixtures import random_rows, world

REAL = Recipe.of(
    {
        "name": "real",
        "candidates_per_model": 60,
        "models": {"popular": {}, "neighbours": {}},
        "steps": {"fuse": {}, "rules": {}, "policy": {}, "explain": {}},
    }
)


def test_the_fused_row_equals_served_answers():
    data = world(random_rows(events=1500))
    report = evaluate(data, [REAL], Protocol())
    split = leave_one_out(data)
    learn = leave_one_out(data, "validation")
    pipeline = fit_recipe(REAL, data, learn, refit=False, live=state_view_of)
    live = state_view_of(pipeline, split.query_time_data)
    hits = []
    for _, piece in split.queries.batches(7):
        items = pipeline.run(replace(piece, live=live))
        order = items.column("order")
        targets = split.targets.values[len(hits) : len(hits) + len(piece)]
        shown = (order >= 0) & (order < 10)
        hits += ((items.item_numbers == targets[:, None]) & shown).any(axis=1).tolist()
    measured = report.result("fused").metrics["hit_rate@10"].value
    assert np.mean(hits) == pytest.approx(measured, abs=0.02)  # a tie may fall either way


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    rows = random_rows(events=1500)
    start = 1_700_000_000
    events = [
        {
            "user_id": user,
            "item_id": item,
            "timestamp": start + int(day * 86_400),
            "event_type": "buy",
        }
        for user, item, day in rows
    ]
    with plait.open(folder) as shop:
        shop.ingest(events=events)
    (folder / "toy.toml").write_text("[models.popular]\n[models.neighbours]\n[steps.fuse]\n")
    return folder


def run(home, *more):
    toy = str(home / "toy.toml")
    command = ["evaluate", "--home", str(home), "--recipe", toy, *more]
    return CliRunner().invoke(app, command, catch_exceptions=False)


def test_the_command_prints_a_table_and_writes_json(home):
    result = run(
        home,
        "--protocol",
        "time",
        "--test-days",
        "10",
        "--k",
        "10,5",
        "--json",
        str(home / "out.json"),
    )
    assert result.exit_code == 0
    assert "popular-recent" in result.stdout
    written = json.loads((home / "out.json").read_text())
    assert written["protocol"]["test_days"] == 10
    assert written["protocol"]["k"] == [5, 10]
    assert written["protocol"]["hash"] in result.stdout
    models = [row["model"] for row in written["results"]]
    assert models[:3] == ["fused", "popular", "neighbours"]
    assert not (home / "bundles" / "current").exists()


def test_evaluate_command_accepts_leave_one_out_options(home):
    result = run(home, "--protocol", "leave-one-out", "--seen", "keep", "--refit", "--seed", "3")
    assert "leave-one-out" in result.stdout
    assert "refit" in result.stdout


def test_evaluate_command_counts_evaluations(home):
    before = run(home, "--protocol", "leave-one-out", "--seed", "8").stdout
    after = run(home, "--protocol", "leave-one-out", "--seed", "8").stdout
    assert "evaluated 1 time\n" in before
    assert "evaluated 2 times" in after


@pytest.mark.parametrize(
    "more",
    [
        ("--protocol", "time", "--refit"),
        ("--protocol", "never"),
        ("--protocol", "time", "--k", "ten"),
    ],
)
def test_evaluate_command_refuses_impossible_options(home, more):
    with pytest.raises(ProtocolError):
        run(home, *more)


def test_impossible_options_are_refused_before_the_log_is_read(home):
    heard = []
    with plait.open(home) as shop, pytest.raises(ProtocolError):
        shop.evaluate("time", refit=True, progress=lambda *args: heard.append(args))
    assert not heard


def test_evaluate_command_stores_runs_for_compare(home):
    first = run(home, "--protocol", "leave-one-out", "--json", str(home / "one.json"))
    second = run(home, "--protocol", "leave-one-out", "--seeds", "2")
    name = second.stdout.strip().splitlines()[-1].removeprefix("run: ")
    assert (home / "runs" / name / "report.json").is_file()
    assert first.stdout != second.stdout
    command = ["compare", str(home / "one.json"), name, "--home", str(home)]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert "tie" in result.stdout
    assert "the runs pool 1 and 2 seeds" in result.stdout


def test_ratings_are_read_from_a_file_and_never_stored(tmp_path):
    rows = [
        {"user_id": f"u{n % 20}", "item_id": f"i{n % 13}", "rating": n % 13 % 5 + 1, "timestamp": n}
        for n in range(400)
    ]
    lines = [f"{row['user_id']},{row['item_id']},{row['rating']},1" for row in rows[:40]]
    lines += ["stranger,i1,2,1", "u1,new,3,1"]
    (tmp_path / "test.csv").write_text("user_id,item_id,rating,timestamp\n" + "\n".join(lines))
    with plait.open(tmp_path / "home") as shop:
        shop.ingest(events=rows)
        before = shop.info()["version"]
        toy = Recipe.of(
            {"name": "toy", "models": {"mean": {"stage": "tests.evaluation.fake_stages:Mean"}}}
        )
        report = shop.evaluate("ratings", toy, test_events=tmp_path / "test.csv")
        again = shop.evaluate("ratings", toy, test_events=rows[:40])
        assert shop.info()["version"] == before
        with pytest.raises(ProtocolError) as unknown:
            shop.evaluate("ratings", toy, test_events=[{**rows[0], "user_id": "stranger"}])
        assert unknown.value.field == "test_events"
        with pytest.raises(InputError) as refused:
            shop.evaluate("ratings", toy, test_events=rows[:40], test_share=0.2)
        assert refused.value.field == "test_share"
    assert report.data["targets"] == 42
    assert report.result("mean").metrics["rmse|popularity:20-99"].value == pytest.approx(
        0, abs=1e-6
    )
    assert report.result("mean").metrics["known"].value == pytest.approx(41 / 42)
    assert report.protocol.hash != again.protocol.hash


def test_tune_command_continues_a_study(home, tmp_path):
    pytest.importorskip("optuna")
    out = tmp_path / "best.toml"
    command = ["tune", "--home", str(home), "--recipe", str(home / "toy.toml"), "--only"]
    command += ["neighbours.target_popularity_exponent", "--out", str(out), "--trials"]
    first = CliRunner().invoke(app, [*command, "2"], catch_exceptions=False)
    assert "best of 2 trials: ndcg@10 0." in first.stdout
    assert load_recipe(out).models["neighbours"]["target_popularity_exponent"] >= 0
    again = CliRunner().invoke(app, [*command, "3"], catch_exceptions=False)
    assert "trial 2:" in again.stdout
    assert "trial 1:" not in again.stdout


@pytest.mark.parametrize(
    "options",
    [
        ["time", "--test-days", "5", "--windows", "2", "--goal", "buy"],
        ["held-out-users", "--test-users", "0.2", "--fold-in", "0.5"],
    ],
    ids=lambda options: options[0],
)
def test_the_command_tunes_by_the_options_of_an_evaluation(home, options):
    """Else what it calls validation would hold what an evaluation with them calls test."""
    pytest.importorskip("optuna")
    command = ["tune", "--home", str(home), "--recipe", str(home / "toy.toml"), "--trials", "1"]
    result = CliRunner().invoke(app, [*command, "--protocol", *options], catch_exceptions=False)
    assert "best of 1 trials" in result.stdout
    other = CliRunner().invoke(app, [*command, "--protocol", options[0]], catch_exceptions=False)
    assert "trial 0:" in other.stdout  # another study


def test_the_command_tunes_by_clicks_and_misses(tmp_path):
    pytest.importorskip("optuna")
    events = [
        {"user_id": f"u{n % 30}", "item_id": f"i{n % 7}", "timestamp": 1_700_000_000 + n * 3600}
        | {"event_type": ("take", "pass")[n % 3 == 0]}
        for n in range(900)
    ]
    with plait.open(tmp_path) as shop:
        shop.ingest(events=events)
    (tmp_path / "toy.toml").write_text("[models.neighbours]\n")
    command = ["tune", "--home", str(tmp_path), "--recipe", str(tmp_path / "toy.toml")]
    command += ["--protocol", "clicks", "--metric", "auc", "--trials", "1", "--test-days", "5"]
    event_options = ["--goal", "take", "--negative", "pass"]
    result = CliRunner().invoke(app, [*command, *event_options], catch_exceptions=False)
    assert "best of 1 trials: auc " in result.stdout
