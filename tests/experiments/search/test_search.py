"""`plait.grid` and `plait.search` in a world where the best settings are known."""

import pytest

import plait
from plait import models
from plait.errors import InputError, RecipeError, StorageError
from plait.experiments.models.recipe_model import FromRecipe
from tests.experiments.toy_models import Next, NextStage, Noise, circle


@pytest.fixture(scope="module")
def parts():
    return circle(users=60).split_last(2)


def test_a_grid_tries_all_combinations_and_keeps_the_best(parts):
    train, validation, test = parts
    result = plait.grid(Next, {"step": [3, 1, 2]}, train, validation, metric="recall@1")
    assert result.frame.drop("seconds").rows() == [(1, 3, 0.0), (2, 1, 1.0), (3, 2, 0.0)]
    assert result.frame.columns == ["trial", "step", "recall@1", "seconds"]
    assert result.best.step == 1
    assert result.best_fitted is result.best_fitted
    assert len(result.best_fitted.recommend(test, k=1)) == 60
    product = plait.grid(
        models.EASE(max_items=20), {"l2": [1.0, 2.0], "max_items": [5, 9]}, train, validation
    )
    tried = product.frame.select("l2", "max_items").rows()
    assert tried == [(1.0, 5), (1.0, 9), (2.0, 5), (2.0, 9)]


def test_progress_counts_trials(parts):
    calls = []
    plait.grid(Next, {"step": [1, 2]}, *parts[:2], progress=lambda *call: calls.append(call))
    assert calls == [("trials", 0, 2), ("trials", 1, 2), ("trials", 2, 2)]
    result = plait.grid(Next, {"step": [1]}, *parts[:2], progress=True)
    assert len(result.trials) == 1


def test_a_function_of_lists_and_validation_can_be_minimised(parts):
    seen = []

    def mean_rank(lists, validation):
        seen.append((lists.columns, len(validation)))
        return lists["rank"].mean() + lists["item"].n_unique()

    result = plait.grid(Next, {"step": [1, 2]}, *parts[:2], metric=mean_rank, minimize=True, k=3)
    assert seen == [(["user", "item", "rank", "score"], 60)] * 2
    assert result.frame.columns[-2] == "mean_rank"
    assert result.best_trial.value == result.frame["mean_rank"].min()


def test_the_smallest_error_of_predicted_ratings_is_best():
    rows = [(f"u{n % 12}", f"i{n // 12}", 1 + (n + n // 12) % 2 * 4) for n in range(120)]
    users, items, stars = zip(*rows, strict=True)
    train, validation = plait.Dataset.from_arrays(users, items, values=stars).split_random(0.2)
    space = {"factors": [1, 4], "iterations": [30], "burn_in": [5]}
    result = plait.grid(models.SVDpp, space, train, validation, metric="rmse")
    assert result.best_trial.value == result.frame["rmse"].min()
    frame = validation.to_frame()
    errors = result.best_fitted.scores(frame)["rating"] - frame["value"]
    assert result.best_trial.value == pytest.approx(errors.pow(2).mean() ** 0.5)
    mean = plait.grid(models.SVDpp, space, train, validation, metric="mae")
    assert mean.frame["mae"].min() < result.frame["rmse"].min()


def test_trials_without_a_number_are_never_best(parts):
    def at_step(values):
        rows = iter(values)
        return lambda lists, validation: next(rows)

    result = plait.grid(Next, {"step": [1, 2]}, *parts[:2], metric=at_step([float("nan"), -1.0]))
    assert result.best.step == 2
    nothing = plait.grid(Next, {"step": [1]}, *parts[:2], metric=at_step([float("inf")]))
    with pytest.raises(InputError):
        _ = nothing.best
    with pytest.raises(InputError) as problem:
        plait.grid(Next, {"step": [1]}, *parts[:2], metric=at_step(["many"]))
    assert problem.value.field == "metric"


def test_a_grid_goes_on_after_what_its_folder_holds(parts, tmp_path):
    calls = []

    def interrupted(lists, validation):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return -len(calls)

    space = {"step": [1, 2, 3]}
    with pytest.raises(KeyboardInterrupt):
        plait.grid(Next, space, *parts[:2], metric=interrupted, storage=tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_text(file.read_text() + '{"settings": {"st')
    fits = NextStage.fits
    space["step"].append(4)
    result = plait.grid(Next, space, *parts[:2], metric=interrupted, storage=tmp_path)
    assert NextStage.fits - fits == 2
    assert result.frame["interrupted"].to_list() == [-1, -2, -4, -5]
    assert result.best.step == 1
    assert len(result.best_fitted.recommend(parts[2], k=1)) == 60
    assert len(file.read_text().splitlines()) == 5


def test_another_seed_or_metric_has_other_trials(parts, tmp_path):
    for options in ({}, {"seed": 1}, {"metric": "recall@5"}, {"seen": "keep"}):
        plait.grid(Next, {"step": [1]}, *parts[:2], storage=tmp_path, **options)
    assert len(list(tmp_path.iterdir())) == 4


def test_a_damaged_folder_is_said(parts, tmp_path):
    plait.grid(Next, {"step": [1]}, *parts[:2], storage=tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_text(file.read_text() + "not a trial\n")
    with pytest.raises(StorageError):
        plait.grid(Next, {"step": [1]}, *parts[:2], storage=tmp_path)
    with pytest.raises(StorageError):
        plait.grid(Next, {"step": [1]}, *parts[:2], storage=file)


def test_a_search_starts_with_the_settings_of_the_model_and_goes_on_as_if_uninterrupted(
    parts, tmp_path
):
    pytest.importorskip("optuna")
    options = {"trials": 6, "metric": "recall@1", "seed": 3}
    space = {"step": plait.Range(1, 9)}
    whole = plait.search(Next(step=7), space, *parts[:2], **options)
    assert whole.trials[0].settings == {"step": 7}
    plait.search(Next(step=7), space, *parts[:2], **{**options, "trials": 3}, storage=tmp_path)
    fits = NextStage.fits
    resumed = plait.search(Next(step=7), space, *parts[:2], **options, storage=tmp_path)
    assert resumed.frame.drop("seconds").equals(whole.frame.drop("seconds"))
    assert NextStage.fits - fits <= 3


def test_a_search_finds_the_best_of_a_few_values(parts):
    pytest.importorskip("optuna")
    result = plait.search(
        Next(step=4), {"step": [1, 4, 5]}, *parts[:2], trials=12, metric="recall@1"
    )
    assert result.best.step == 1
    assert result.best_trial.value == 1.0


def test_a_search_without_a_space_takes_what_the_model_declares(parts):
    pytest.importorskip("optuna")
    result = plait.search(Next, None, *parts[:2], trials=2)
    assert result.frame.columns == ["trial", "step", "ndcg@10", "seconds"]
    with pytest.raises(InputError):
        plait.search(Noise, None, *parts[:2], trials=2)


RECIPE = {
    "name": "toy",
    "models": {"linear": {}, "popular": {}},
    "steps": {"fuse": {}, "policy": {}},
}


def test_settings_of_a_recipe_are_searched_by_stage(parts):
    space = {"linear.l2": [5.0, 500.0], "fuse.method": ["weighted", "rrf"]}
    result = plait.grid(RECIPE, space, *parts[:2], metric="recall@1")
    assert len(result.trials) == 4
    settings = result.best.recipe()
    assert settings.models["linear"]["l2"] == result.best_trial.settings["linear.l2"]
    fused = result.best_fitted.recommend(parts[2], k=3)
    assert fused["user"].n_unique() == 60


def test_a_recipe_is_fitted_on_ones_own_split(parts):
    train, validation, _ = parts
    fitted = FromRecipe(RECIPE).fit(train, validation=validation)
    (fuse,) = [step for step in fitted.stage.pipeline.steps if step.name == "fuse"]
    assert fuse.learned.queries.sum() == 60
    seen = set(train.to_frame().select("user", "item").iter_rows())
    assert not seen & set(fitted.recommend(k=5).select("user", "item").iter_rows())
    assert len(fitted.recommend(["u0"], k=5, seen="keep")) == 5


@pytest.mark.parametrize(("rule", "seen"), [("off", "keep"), ("once", "remove")])
def test_scores_of_a_recipe_are_those_of_lists_by_its_rule_of_seen_items(rule, seen, parts):
    recipe = {**RECIPE, "steps": {"fuse": {}, "rules": {"seen": "once"}, "policy": {}}}
    space = {"linear.l2": [5.0], "rules.seen": [rule]}
    fitted = plait.grid(recipe, space, *parts[:2], metric="recall@1", seen=seen).best_fitted
    lists = fitted.recommend(["u0", "u1"], k=8, seen=seen)
    scores = fitted.scores(lists.select("user", "item"))
    assert scores["score"].to_list() == lists["score"].to_list()


@pytest.mark.parametrize(
    ("change", "error", "field"),
    [
        ({"space": {"height": [1]}}, InputError, "height"),
        ({"space": {"step": "123"}}, InputError, "space.step"),
        ({"space": {"step": []}}, InputError, "space.step"),
        ({"space": {"step": [1, "a"]}}, RecipeError, "next.step"),
        ({"metric": "ndcg"}, InputError, "metric"),
        ({"metric": "beauty@10"}, InputError, "metric"),
        ({"metric": "ndcg@0"}, InputError, "metric"),
        ({"metric": 5}, InputError, "metric"),
        ({"metric": "rmse"}, InputError, "metric"),
        ({"model": RECIPE, "space": {"linear.l2": [1.0]}, "metric": "mae"}, InputError, "metric"),
        ({"model": models.SVDpp, "space": None, "metric": "mae"}, InputError, "validation"),
        ({"k": 0}, InputError, "k"),
        ({"seed": None}, InputError, "seed"),
        ({"space": None}, InputError, "space"),
        ({"space": ["step"]}, InputError, "space"),
        ({"seen": "often"}, InputError, "seen"),
        ({"model": "no-such-recipe"}, RecipeError, "recipe"),
        ({"model": RECIPE, "space": {"square.l2": [1.0]}}, InputError, "square.l2"),
        ({"model": RECIPE, "space": {"linear.height": [1.0]}}, RecipeError, None),
    ],
)
def test_what_cannot_be_searched_is_refused_before_the_first_fit(change, error, field, parts):
    fits = NextStage.fits
    arguments = {"model": Next, "space": {"step": [1]}, **change}
    model, space = arguments.pop("model"), arguments.pop("space")
    with pytest.raises(error) as problem:
        plait.grid(model, space, *parts[:2], **arguments)
    assert field is None or problem.value.field == field
    assert NextStage.fits == fits


def test_a_frame_is_no_data_set_and_the_error_names_the_argument(parts):
    for place, field in enumerate(("train", "validation")):
        data = list(parts[:2])
        data[place] = data[place].to_frame()
        with pytest.raises(InputError) as problem:
            plait.grid(Next, {"step": [1]}, *data)
        assert problem.value.field == field


@pytest.mark.parametrize(
    ("ends", "field"),
    [
        ((5, 1), "low"),
        (("a", "b"), "low"),
        ((1, None), "high"),
        ((float("nan"), 1), "low"),
        ((0, 1, True), "low"),
    ],
)
def test_a_range_without_numbers_between_its_ends_is_refused(ends, field):
    with pytest.raises(InputError) as problem:
        plait.Range(*ends)
    assert problem.value.field == field


def test_an_empty_validation_is_refused(parts):
    with pytest.raises(InputError) as problem:
        plait.grid(Next, {"step": [1]}, parts[0], parts[1].filter("item = 'none'"))
    assert problem.value.field == "validation"
