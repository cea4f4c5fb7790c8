"""The stage `unified`: modalities in one space, and new items beside known ones."""

import math
from dataclasses import replace

import numpy as np
import pytest

from plait.data.ragged import Ragged
from plait.errors import BundleError
from plait.models.image_vectors import ImageEncoderConfig
from plait.models.multimodal.item_content import ItemContent
from plait.models.multimodal.new_item_bias import new_item_bias
from plait.models.multimodal.unified_recommender import Unified
from plait.models.multimodal.unified_settings import UnifiedConfig
from plait.models.text_vectors import TextVectors
from plait.pipeline.fit_context import FitContext, ValidationSet
from plait.testing.catalogue_changes import changed, state_with
from plait.testing.queries import ask, listed, scores
from plait.testing.synthetic_data import clock, late_arrivals, make_dataset
from plait.training.config import TrainingConfig
from plait.utils.optional_imports import is_installed

if not is_installed("torch"):
    pytest.skip("needs plait[deep]", allow_module_level=True)

from scipy import sparse

from plait.models.multimodal.item_tower import ItemTower

FAST = TrainingConfig(epochs=30, learning_rate=0.01, batch_size=16, patience=0)


def unified(**changes):
    settings = {"embedding_dim": 16, "dropout": 0.1, "training": FAST, **changes}
    return Unified(UnifiedConfig(**settings), name="unified")


@pytest.fixture(scope="module")
def colours():
    return late_arrivals()


@pytest.fixture(scope="module", params=["concat", "gated"])
def by_text(request, colours):
    """A fit that knows items by id and by the vector of their text, not by single words."""
    return unified(fusion=request.param, use_item_features=False).fit(colours)


def content(words, **encoded):
    return ItemContent(
        sparse.csr_matrix(np.array(words, np.float32)),
        {name: np.array(vectors, np.float32) for name, vectors in encoded.items()},
    )


def test_items_are_known_by_their_ids_where_they_have_no_content():
    dataset = clock()
    stage = unified(training=replace(FAST, epochs=80), id_dropout=0.1).fit(dataset)
    queries = ask(dataset.catalogue, ["hour-4", "hour-5"])
    assert listed(stage.retrieve(queries, 1), dataset.catalogue) == [["hour-6"]]


def test_an_item_without_events_ranks_where_its_text_says(by_text, colours):
    queries = ask(colours.catalogue, ["black-1", "black-2"], ["white-1", "white-2"])
    result = scores(by_text, queries, colours.catalogue, "black-late", "white-late")
    assert result[0, 0] > result[0, 1]
    assert result[1, 1] > result[1, 0]


def test_an_item_that_is_put_after_the_fit_equals_one_of_the_same_content(by_text, colours):
    fields = {
        name: column.get(colours.catalogue.numbers(["black-late"])[0])
        for name, column in colours.catalogue.columns.items()
    }
    catalogue = changed(colours.catalogue, colours.version, {"put": fields})
    queries = ask(catalogue, ["black-1", "black-2"], live=state_with(by_text, colours, catalogue))
    put, late = scores(by_text, queries, catalogue, "put", "black-late")[0]
    assert put == pytest.approx(late, abs=1e-5)


def test_an_item_without_id_and_content_has_no_score(by_text, colours):
    catalogue = changed(colours.catalogue, colours.version, {"blank": {}})
    queries = ask(catalogue, ["black-1"], live=state_with(by_text, colours, catalogue))
    assert np.isnan(scores(by_text, queries, catalogue, "blank")).all()


def test_products_of_vectors_are_logits_with_the_bias(by_text, colours):
    queries = ask(colours.catalogue, ["black-1", "black-2"])
    before = by_text._compute_logits(queries).scores
    by_text._bias = 1.5
    after = by_text._compute_logits(queries).scores
    products = by_text.user_vectors(queries) @ by_text.item_vectors().T
    by_text._bias = 0.0
    is_new = np.array([name.endswith("late") for name in colours.catalogue.ids])
    np.testing.assert_allclose((after - before)[0], np.where(is_new, 1.5, 0.0), atol=1e-5)
    np.testing.assert_allclose(products, after, atol=1e-4)


def test_the_bias_gives_new_items_the_probability_that_their_share_of_targets_is():
    states, table = np.zeros((8, 4), np.float32), np.ones((10, 4), np.float32)
    new = np.arange(10) < 2
    targets = np.array([0, 5, 6, 7])
    # Equal logits: odds of new to known are 2 : 8 before the bias, and 1 : 3 after it.
    assert new_item_bias(states, table, new, targets) == pytest.approx(math.log(8 / 6), abs=1e-6)
    assert new_item_bias(states, table, new, targets[1:]) == 0


def test_a_fit_with_held_out_events_learns_the_bias_and_keeps_it(colours):
    catalogue = colours.catalogue
    histories = [["black-1", "black-2"], ["white-1", "white-2"]] * 20
    late = catalogue.numbers(["black-late", "white-late"] * 20)
    targets = Ragged.from_lengths(np.array(late, np.int32), np.ones(40, np.int64))
    held = ValidationSet(ask(catalogue, *histories), targets)
    stage = unified(training=replace(FAST, epochs=3))
    trained = stage.train(colours, FitContext(0, held=held))
    assert trained.describe()["new_item_bias"] == 0  # every held-out event is of a new item
    mixed = np.array(late, np.int32)
    mixed[:8] = catalogue.numbers(["black-3", "white-3"] * 4)
    held = ValidationSet(held.queries, Ragged.from_lengths(mixed, np.ones(40, np.int64)))
    trained = stage.train(colours, FitContext(0, held=held))
    assert trained.describe()["new_item_bias"] > 0
    again = trained.train(colours, FitContext(0))
    assert again.describe()["new_item_bias"] == trained.describe()["new_item_bias"]


def test_a_gated_item_with_its_id_alone_has_the_vector_of_its_id():
    import torch

    nothing = content([[0, 0], [1, 0]], text=[[np.nan, np.nan], [1, 0]])
    tower = ItemTower(nothing, 4, "gated", 0.0, 0.0).eval()
    vectors = tower().detach().numpy()
    ids = tower.ids.detach().numpy()
    np.testing.assert_array_equal(vectors[0], 0)  # padding
    np.testing.assert_allclose(vectors[1], ids[0], atol=1e-6)
    assert not np.allclose(vectors[2], ids[1])
    with torch.no_grad():
        tower.missing["text"].fill_(9.0)
    np.testing.assert_allclose(tower().detach().numpy()[1], ids[0], atol=1e-6)


def test_a_missing_modality_is_a_learned_vector_and_not_zero():
    import torch

    tower = ItemTower(content([[0], [1]], text=[[np.nan], [1]]), 4, "concat", 0.0, 0.0).eval()
    with torch.no_grad():
        tower.missing["text"].fill_(2.0)
    without = tower().detach().numpy()[1] - tower.ids.detach().numpy()[0]
    np.testing.assert_allclose(without, tower.missing["words"].detach().numpy() + 2.0, atol=1e-6)
    assert tower.missing["words"].requires_grad


def test_a_changed_encoder_is_refused_on_loading(by_text, tmp_path):
    by_text.save(tmp_path)
    queries = ask(late_arrivals().catalogue, ["black-1"])
    loaded = Unified.load(by_text.config, "unified", tmp_path)
    expected = by_text.retrieve(queries, 5).item_numbers
    np.testing.assert_array_equal(loaded.retrieve(queries, 5).item_numbers, expected)
    part = loaded._encoders["text"]
    part._encoder_digest = "0" * 32
    part.save(tmp_path / "text")
    assert isinstance(part, TextVectors)
    with pytest.raises(BundleError):
        Unified.load(by_text.config, "unified", tmp_path)


def test_pictures_alone_place_a_new_item(tmp_path):
    if not is_installed("PIL"):
        pytest.skip("needs plait[image]")
    from PIL import Image
    from safetensors.torch import save_file

    from tests.encoders.test_image_encoders import tiny_weights

    save_file(tiny_weights(), tmp_path / "tiny.safetensors")
    fields = {}
    for number in range(6):
        for name, color in (("red", (250, 9, 9)), ("blue", (9, 9, 250))):
            file = f"{name}-{number}.png"
            Image.new("RGB", (16, 16), color).save(tmp_path / file)
            fields[f"{name}-{number}"] = {"image": file}
    random = np.random.default_rng(0)
    events = [
        (f"u{user}", f"{('red', 'blue')[user % 2]}-{item}", step)
        for user in range(30)
        for step, item in enumerate(random.permutation(5)[:4])
    ]
    dataset = make_dataset(events, items=fields)
    image = ImageEncoderConfig(
        folder=str(tmp_path),
        fields=("image",),
        encoder=str(tmp_path / "tiny.safetensors"),
        cache=str(tmp_path / "cache"),
    )
    stage = unified(use_item_features=False, use_text=False, image=image).fit(dataset)
    queries = ask(dataset.catalogue, ["red-0", "red-1"], ["blue-0", "blue-1"])
    result = scores(stage, queries, dataset.catalogue, "red-5", "blue-5")
    assert result[0, 0] > result[0, 1]
    assert result[1, 1] > result[1, 0]
