"""Arguments of Python calls: numbers of numpy, single values, recipes as mappings."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import plait
from plait.errors import InputError, RecipeError
from plait.pipeline.recipe import Recipe, load_recipe

MINE = {
    "name": "mine",
    "models": {"popular": {}, "neighbours": {"max_baskets": np.int64(5)}},
    "steps": {"fuse": {}, "policy": {}},
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    starts = np.random.default_rng(0).integers(0, 20, 60)
    rows = [
        {
            "user": f"u{user}",
            "item": f"i{(start + step) % 20}",
            "kind": "view",
            "time": 86_400 * step,
        }
        for user, start in enumerate(starts)
        for step in range(1, 6)
    ]
    with plait.open(tmp_path_factory.mktemp("shop")) as workspace:
        workspace.ingest(events=rows)
        yield workspace


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"k": [np.int64(10)]}, {"k": [10]}),
        ({"k": 20}, {"k": [20]}),
        ({"k": np.array([3, 5])}, {"k": [3, 5]}),
        ({"seed": np.int64(1)}, {"seed": 1}),
        ({"goal": "view"}, {"goal": ["view"]}),
        ({"seeds": np.int8(1)}, {}),
    ],
    ids=str,
)
def test_numbers_of_numpy_and_single_values_are_taken(shop, options, expected):
    report = shop.evaluate("leave-one-out", MINE, **options)
    protocol = report.to_dict()["protocol"]
    assert {name: protocol[name] for name in expected} == expected


@pytest.mark.parametrize(
    "options",
    [
        {"k": "10"},
        {"k": ["10"]},
        {"k": [True]},
        {"seed": "1"},
        {"seed": -1},
        {"seeds": [1, 2]},
        {"seeds": "2"},
        {"resamples": 0},
        {"refit": "no"},
        {"windows": 1.5},
    ],
    ids=str,
)
def test_other_types_are_refused_before_anything_is_fitted(shop, options):
    steps = []
    with pytest.raises(InputError) as problem:
        shop.evaluate("leave-one-out", MINE, progress=lambda *step: steps.append(step), **options)
    assert problem.value.field == next(iter(options))
    assert not steps


def test_several_models_without_a_final_score_have_rows_and_are_not_tuned(shop):
    recipe = {"models": MINE["models"]}
    report = shop.evaluate(recipes=recipe, k=5)
    rows = [row.model for row in report.results if not row.baseline]
    assert rows == list(MINE["models"])
    with pytest.raises(RecipeError):
        shop.tune(recipe, trials=1)


def test_without_a_protocol_that_of_the_command_is_measured(shop):
    assert shop.evaluate(recipes=MINE, test_days=1, k=5).protocol.name == "time"
    with pytest.raises(InputError) as problem:
        shop.evaluate(None, MINE)
    assert problem.value.field == "protocol"


def test_a_recipe_can_be_a_mapping_wherever_a_name_is_taken(shop):
    extended = {"extends": "default", "without": ["lexical", "linear"], "name": "small"}
    report = shop.evaluate("leave-one-out", [MINE, extended, Recipe.of(MINE)])
    assert {row.model.partition("/")[0] for row in report.results if not row.baseline} == {
        "mine",
        "small",
        "mine#2",
    }
    shop.fit(MINE, seed=np.int64(2))
    assert shop.recommend(user="u1", k=2).ids
    for wrong in (7, None, ["default"]):
        with pytest.raises(RecipeError):
            shop.evaluate(recipes=[wrong])


def test_a_recipe_without_weights_has_those_of_default():
    recipe, default = Recipe.of(MINE), load_recipe("default")
    assert recipe.event_weights == default.event_weights
    assert recipe.excluded_relations == default.excluded_relations
    everything = Recipe.of({**MINE, "event_weights": {}, "triples": {}})
    assert not everything.event_weights
    assert Recipe.of(everything.to_dict()).event_weights == {}


def test_a_rejection_is_no_evidence_in_an_own_recipe(tmp_path):
    rows = [{"user": f"a{n}", "item": "good", "kind": "view"} for n in range(5)]
    rows += [{"user": f"b{n}", "item": "bad", "kind": "hide"} for n in range(9)]
    with plait.open(tmp_path) as workspace:
        workspace.post(rows)
        workspace.fit({**MINE, "fallback": "none"})
        assert workspace.recommend(user="new", k=2).ids == ["good"]


def test_reports_and_homes_are_short_in_a_notebook_and_complete_when_printed(shop):
    report = shop.evaluate("leave-one-out", MINE)
    assert len(repr(report)) < 300
    assert "ndcg@10" in str(report)
    frame = report.to_frame()
    assert set(frame["metric"]) >= {"ndcg@5", "ndcg@10", "recall@10"}
    assert len(repr(shop)) < 300


def test_columns_are_a_table_everywhere(tmp_path):
    columns = {"user": ["1", "2"], "item": ["a", "b"]}
    with plait.open(tmp_path) as workspace:
        assert workspace.ingest(events=columns).stored == 2
        assert workspace.ingest(events=pa.table(columns)).by_kind["events"].duplicate == 2
        for wrong in ({"user": ["1"], "item": ["a", "b"]}, {"user": "1", "item": "a"}, {"user": 1}):
            with pytest.raises(InputError):
                workspace.ingest(events=wrong)


def test_a_single_prefix_is_not_read_letter_by_letter(shop):
    pytest.importorskip("optuna")
    tuned = shop.tune(MINE, only="popular.", trials=1)
    assert len(tuned.trials) == 1


def test_two_fits_write_two_runs(tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("tensorboard")
    rows = [{"user": f"u{n % 30}", "item": f"i{n % 7}", "time": n} for n in range(200)]
    settings = {"embedding_dim": 4, "training": {"epochs": 1}}
    with plait.open(tmp_path) as workspace:
        workspace.ingest(events=rows)
        for rate in (0.002, 0.01):
            settings = {**settings, "training": {"epochs": 1, "learning_rate": rate}}
            recipe = {"models": {"sequence": settings}, "steps": {"fuse": {}, "policy": {}}}
            workspace.fit(recipe, track="tensorboard")
    runs = {path.name for path in (tmp_path / "tracking").glob("*-first-sequence")}
    assert len(runs) == 2


def test_a_home_without_a_folder_is_deleted_when_closed():
    workspace = plait.open(None)
    folder = workspace.settings.home
    workspace.post([{"user": user, "item": "a", "kind": "view"} for user in "uv"])
    assert repr(workspace.dataset()).startswith("Dataset: 2 users, 1 items, 2 view")
    workspace.fit()
    assert workspace.recommend(user="w", k=1).ids == ["a"]
    assert folder.is_dir()
    workspace.close()
    assert not folder.exists()


def test_a_home_without_a_folder_is_deleted_when_the_process_ends():
    code = "import plait; print(plait.open(None).settings.home)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip()
    assert not Path(out.stdout.strip()).exists()
