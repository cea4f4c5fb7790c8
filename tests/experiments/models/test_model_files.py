"""Saved models: they load as they were, and other folders are one error."""

import json

import numpy as np
import pytest
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

import plait
from plait import models
from plait.errors import BundleError, InputError
from plait.experiments.data.dataset_files import read_dataset, write_dataset
from plait.experiments.models.saved_folders import replace_folder
from plait.pipeline.bundle_files import file_hash

ROWS = [
    {"user": f"u{user}", "item": f"i{(user + step) % 12}", "time": 100 * user + step, "rating": 3.5}
    for user in range(40)
    for step in range(5)
]
ITEMS = [
    {
        "item": f"i{number}",
        "title": f"thing {'red' if number < 6 else 'blue'}",
        "price": 1.5 * number,
        "tags": ["a", "b"] if number % 2 else [],
    }
    for number in range(14)
]
MODELS = {
    "EASE": models.EASE(l2=10.0),
    "ItemKNN": models.ItemKNN(k=5),
    "Linear": models.Linear(top_k=5),
    "Popular": models.Popular(half_life_days=2.0),
    "Content": models.Content(fields=("title",)),
    "SVDpp": models.SVDpp(factors=2, iterations=20, burn_in=5),
    "Given": models.Given({"u1": ["i3", "i1"], "u2": ["i0"], "no user": ["i0"]}),
    "Vectors": models.Vectors([f"i{n}" for n in range(12)], np.eye(12), similarity="dot"),
}


@pytest.fixture(scope="module")
def data():
    return plait.Dataset.of(ROWS, items=ITEMS, facts=[{"head": "i1", "relation": "r", "tail": "x"}])


def assert_same_answers(first, second):
    assert first.recommend(k=5).equals(second.recommend(k=5))
    assert first.similar(["i1"], k=5).equals(second.similar(["i1"], k=5))
    pairs = [("u1", "i2"), ("u3", "i3"), ("u1", "i13")]
    assert first.scores(pairs).equals(second.scores(pairs))


@pytest.mark.parametrize("name", MODELS)
def test_a_loaded_model_is_the_saved_model(tmp_path, data, name):
    fitted = MODELS[name].fit(data, event_weights={"rating": 2.0, "*": 1.0})
    fitted.save(tmp_path / "model")
    loaded = models.load(tmp_path / "model")
    assert repr(loaded) == repr(fitted)
    assert loaded.model.settings == fitted.model.settings
    assert loaded.event_weights == fitted.event_weights
    assert_same_answers(loaded, fitted)
    red = 'title contains "red"'
    assert loaded.recommend(k=3, filter=red).equals(fitted.recommend(k=3, filter=red))
    loaded.save(tmp_path / "again")
    again = models.load(tmp_path / "again")
    assert_same_answers(again, fitted)
    assert_same_answers(again.model.fit(again.dataset), MODELS[name].fit(data))


def test_words_are_searched_by_a_loaded_model(tmp_path, data):
    fitted = models.BM25().fit(data)
    fitted.save(tmp_path / "model")
    assert repr(models.load(tmp_path / "model")) == repr(fitted)


def test_networks_are_saved(tmp_path, data):
    pytest.importorskip("torch")
    fitted = models.SASRec(dim=8, layers=1, epochs=1, item_features=True).fit(data)
    fitted.save(tmp_path / "model")
    assert_same_answers(models.load(tmp_path / "model"), fitted)


def test_a_data_set_is_read_as_it_was_written(tmp_path, data):
    train, _ = data.split_last()
    write_dataset(tmp_path, train)
    again = read_dataset(tmp_path)
    assert again.to_frame().equals(train.to_frame())
    assert [again.catalogue.fields(n) for n in range(14)] == [
        data.catalogue.fields(n) for n in range(14)
    ]
    assert again.triples.tails == data.triples.tails
    assert again.user_ids == data.user_ids
    assert again.kcore(2).n_items == train.kcore(2).n_items


def test_a_saved_model_is_replaced_and_other_files_are_not(tmp_path, data):
    folder = tmp_path / "model"
    models.Popular().fit(data).save(folder)
    models.EASE().fit(data).save(folder)
    assert repr(models.load(folder).model) == "EASE()"
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "text").write_text("x")
    with pytest.raises(InputError):
        models.EASE().fit(data).save(tmp_path / "notes")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_folder_with_any_other_file_is_not_replaced(tmp_path, data):
    folder = tmp_path / "model"
    fitted = models.Popular().fit(data)
    fitted.save(folder)
    for foreign in ("notes.txt", "stage/notes.txt", "more/notes.txt"):
        (folder / foreign).parent.mkdir(exist_ok=True)
        (folder / foreign).write_text("x")
        with pytest.raises(InputError):
            fitted.save(folder)
        assert (folder / foreign).read_text() == "x"
        (folder / foreign).unlink()
    other = tmp_path / "other"
    other.mkdir()
    for manifest in ('{"format": "another", "files": {}}', "{", "[]"):
        (other / "model.json").write_text(manifest)
        with pytest.raises(InputError):
            fitted.save(other)
        assert (other / "model.json").read_text() == manifest


def test_the_current_folder_is_replaced(tmp_path, data, monkeypatch):
    folder = tmp_path / "model"
    models.Popular().fit(data).save(folder)
    monkeypatch.chdir(folder)
    models.EASE().fit(data).save(".")
    assert repr(models.load(".").model) == repr(models.load(folder).model) == "EASE()"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    models.load(".").save(".")
    assert_same_answers(models.load("."), models.EASE().fit(data))


def test_a_link_to_a_saved_model_is_followed(tmp_path, data):
    models.Popular().fit(data).save(tmp_path / "model")
    (tmp_path / "link").symlink_to(tmp_path / "model")
    models.EASE().fit(data).save(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert repr(models.load(tmp_path / "model").model) == "EASE()"


def test_a_folder_that_cannot_be_replaced_is_as_it_was(tmp_path, data):
    models.Popular().fit(data).save(tmp_path / "model")
    with pytest.raises(FileNotFoundError):
        replace_folder(tmp_path / "model", tmp_path / "absent")
    assert repr(models.load(tmp_path / "model").model) == "Popular()"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("name", ["Given", "Vectors", "ItemKNN"])
def test_a_loaded_model_is_updated_as_the_saved_one(tmp_path, data, name):
    fitted = MODELS[name].fit(data)
    fitted.save(tmp_path / "model")
    new = plait.Dataset.from_arrays(["u1", "no user"], ["i9", "i2"], [10**6, 10**6])
    first, second = fitted.update(new), models.load(tmp_path / "model").update(new)
    assert len(second.recommend(["u1"], k=5, seen="keep"))
    assert_same_answers(second, first)


def test_a_model_of_ones_own_is_not_saved(tmp_path, data):
    class Own(models.EASE):
        pass

    with pytest.raises(InputError):
        Own().fit(data).save(tmp_path / "model")


def change(key, value):
    def apply(folder):
        manifest = json.loads((folder / "model.json").read_text())
        (folder / "model.json").write_text(json.dumps({**manifest, key: value}))

    return apply


def flip_a_byte(folder):
    path = folder / "stage" / "state.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def rewrite(name, content):
    """Another content of a file, with its hash."""

    def apply(folder):
        path = folder / name
        path.write_bytes(content(path.read_bytes()))
        manifest = json.loads((folder / "model.json").read_text())
        manifest["files"][name] = file_hash(path)
        (folder / "model.json").write_text(json.dumps(manifest))

    return apply


def edit_state(part, edit):
    def content(before):
        document = json.loads(before)
        edit(document)
        return json.dumps(document).encode()

    return rewrite(f"{part}/state.json", content)


def edit_arrays(part, edit):
    def content(before):
        arrays = load_arrays(before)
        edit(arrays)
        return save_arrays({name: np.ascontiguousarray(array) for name, array in arrays.items()})

    return rewrite(f"{part}/state.safetensors", content)


def shortened(name):
    return lambda arrays: arrays.update({name: arrays[name][:-1]})


def with_last(name, value):
    return lambda arrays: arrays.update(
        {name: np.append(arrays[name][:-1], arrays[name].dtype.type(value))}
    )


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "model.json").unlink(),
        lambda folder: (folder / "model.json").write_text("{"),
        lambda folder: (folder / "model.json").write_text("[]"),
        lambda folder: (folder / "dataset" / "state.json").unlink(),
        lambda folder: (folder / "stage" / "state.json").write_text("{}"),
        flip_a_byte,
        change("format", "another"),
        change("version", 2),
        change("model", "os.system"),
        change("model", "load"),
        change("model", "SVDpp"),
        change("settings", {"l2": "high"}),
        change("settings", {"unknown": 1}),
        change("settings", []),
        change("event_weights", {"view": "x"}),
        change("files", {"../../etc/passwd": "x"}),
        change("notes", {"unknown": 1}),
        change("event_weights", {"view": "nan"}),
        change("event_weights", {"view": float("nan")}),
        change("event_weights", {"view": True}),
        edit_state("dataset", lambda state: state["catalogue"]["types"].update(price="colour")),
        edit_state("dataset", lambda state: state["catalogue"]["types"].update(new="number")),
        edit_state("dataset", lambda state: state["catalogue"]["ids"].pop()),
        edit_state("dataset", lambda state: state["catalogue"]["texts"]["title"].pop()),
        edit_state("dataset", lambda state: state["users"]["ids"].append("u0")),
        edit_state("dataset", lambda state: state["merges"].update({"1": 2, "2": 1})),
        edit_state("dataset", lambda state: state["merges"].update({"1": 99})),
        edit_state("dataset", lambda state: state["event_types"].clear()),
        edit_state("dataset", lambda state: state["triples"]["tails"].pop()),
        edit_arrays("dataset", shortened("interactions.items")),
        edit_arrays("dataset", shortened("catalogue.alive")),
        edit_arrays("dataset", with_last("interactions.items", 99)),
        edit_arrays("dataset", with_last("interactions.users", 0)),
        edit_arrays("dataset", with_last("triples.heads", -2)),
        edit_arrays("stage", lambda arrays: arrays.update({k: v[:-1] for k, v in arrays.items()})),
    ],
)
def test_a_damaged_or_foreign_folder_is_one_error(tmp_path, data, damage):
    models.EASE().fit(data).save(tmp_path / "model")
    damage(tmp_path / "model")
    with pytest.raises(BundleError):
        models.load(tmp_path / "model")


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("Given", rewrite("lists.parquet", lambda _: b"no Parquet")),
        ("Given", edit_arrays("stage", with_last("_scores.indices", 99))),
        ("Given", edit_arrays("stage", shortened("_scores.data"))),
        ("Vectors", rewrite("ids.json", lambda _: b"3")),
        ("Vectors", rewrite("vectors.safetensors", lambda _: b"x")),
        ("Vectors", edit_arrays("stage", shortened("_items"))),
        ("Popular", edit_state("stage", lambda state: state.clear())),
    ],
)
def test_damaged_contents_with_the_right_hash_are_one_error(tmp_path, data, name, damage):
    MODELS[name].fit(data).save(tmp_path / "model")
    damage(tmp_path / "model")
    with pytest.raises(BundleError):
        models.load(tmp_path / "model")


def test_a_folder_that_does_not_exist_is_one_error(tmp_path):
    with pytest.raises(BundleError):
        models.load(tmp_path / "absent")
