"""Fusions that are saved, loaded, and updated with new events."""

import json
import pickle

import pytest

import plait
from plait import models
from plait.errors import BundleError, InputError
from tests.experiments.toy_models import Next, Noise, circle


@pytest.fixture(scope="module")
def parts():
    return circle(users=120).split_last(2)


@pytest.fixture(scope="module")
def fusion(parts):
    train, validation, _ = parts
    fitted = {
        "Linear (l2=5)": models.Linear(l2=5.0).fit(train),
        "knn": models.ItemKNN().fit(train),
        "popular": models.Popular().fit(train),
    }
    return plait.fuse(fitted, validation=validation)


def test_a_loaded_fusion_answers_and_ablates_as_the_saved_one(fusion, parts, tmp_path):
    fusion.save(tmp_path / "fusion")
    loaded = models.load(tmp_path / "fusion")
    assert loaded.weights.equals(fusion.weights)
    assert loaded.recommend(k=5).equals(fusion.recommend(k=5))
    assert loaded.recipe() == fusion.recipe()
    copied = pickle.loads(pickle.dumps(fusion))
    assert copied.recommend(k=5).equals(fusion.recommend(k=5))
    test = parts[2].sample(users=30)
    assert loaded.ablate(test).to_frame().equals(fusion.ablate(test).to_frame())
    loaded.save(tmp_path / "fusion")
    assert models.load(tmp_path / "fusion").recommend(k=2).equals(fusion.recommend(k=2))


@pytest.mark.parametrize(
    "options",
    [
        {"weights": {"a": 1, "b": 0.5}},
        {"settings": {"method": "rrf"}, "seen": "keep"},
        {"settings": {"method": "mixer"}, "candidates_per_model": 7},
    ],
    ids=str,
)
def test_methods_and_options_of_a_fusion_are_saved(parts, options, tmp_path):
    train, validation, _ = parts
    fitted = {"a": models.ItemKNN().fit(train), "b": models.Popular().fit(train)}
    fusion = plait.fuse(fitted, validation=validation, **options)
    fusion.save(tmp_path / "fusion")
    loaded = models.load(tmp_path / "fusion")
    assert loaded.recommend(k=4).equals(fusion.recommend(k=4))
    assert (loaded.seen, loaded.settings) == (fusion.seen, fusion.settings)
    assert loaded.ranker == fusion.ranker


def test_a_damaged_fusion_is_an_error(fusion, tmp_path):
    fusion.save(tmp_path / "fusion")
    manifest = tmp_path / "fusion" / "model.json"
    entries = json.loads(manifest.read_text())
    for notes in ({}, {**entries["notes"], "models": entries["notes"]["models"][:1]}):
        manifest.write_text(json.dumps({**entries, "notes": notes}))
        with pytest.raises(BundleError):
            models.load(tmp_path / "fusion")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    with pytest.raises(InputError):
        fusion.save(tmp_path / "other")


def test_own_models_are_not_saved_in_a_fusion(parts, tmp_path):
    fitted = {"next": Next().fit(parts[0]), "noise": Noise().fit(parts[0])}
    with pytest.raises(InputError):
        plait.fuse(fitted, weights={"next": 1, "noise": 0}).save(tmp_path / "fusion")


def test_an_update_fits_every_model_on_all_events_and_keeps_the_weights(fusion, parts):
    last = parts[0].to_frame()["time"].max()
    new = [{"user": "new", "item": item, "time": last} for item in ("i1", "i2", "brand new")]
    updated = fusion.update(new)
    assert updated.weights.drop("queries").equals(fusion.weights.drop("queries"))
    assert updated.dataset.n_items == fusion.dataset.n_items + 1
    assert all(model.dataset is updated.dataset for model in updated.fitted.values())
    assert updated.validation is None
    assert updated.recommend(["new"], k=3).height == 3
    rows = updated.ablate(parts[2].sample(users=20)).to_frame()["model"].unique()
    assert {"fused", "without:knn", "Linear (l2=5)"} <= {*rows}
    assert fusion.recommend(["new"], k=3)["item"].to_list() != ["i3"]


def test_an_update_learns_the_weights_again_on_validation_data(fusion, parts):
    train, validation, test = parts
    updated = fusion.update(validation, validation=test)
    assert updated.weights["queries"].sum() == 120
    expected = plait.fuse(
        {name: model.update(validation) for name, model in fusion.fitted.items()}, validation=test
    )
    assert updated.weights.equals(expected.weights)
    assert len(updated.dataset) == len(train) + len(validation)
