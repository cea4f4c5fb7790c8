"""Options of a fit: weights of rows, devices, progress, callbacks, curves, trackers."""

import numpy as np
import polars as pl
import pytest

import plait
from plait import models
from plait.errors import InputError, RecipeError
from plait.experiments.models.fit_options import trackers_of


@pytest.fixture(scope="module")
def data():
    rows = [
        {"user": f"u{user}", "item": f"i{(user * step) % 9}", "time": step, "value": 1 + step % 3}
        for user in range(1, 25)
        for step in range(1, 6)
    ]
    return plait.Dataset.of(rows)


def value_matrix(data):
    frame = data.to_frame()
    matrix = np.zeros((data.n_users, data.n_items))
    numbers = data.users.numbers(frame["user"]), data.catalogue.numbers(frame["item"])
    np.add.at(matrix, numbers, frame["value"].to_numpy())
    return matrix


def score_matrix(fitted, data):
    pairs = [(user, item) for user in data.users.ids for item in data.catalogue.ids]
    return fitted.scores(pairs)["score"].to_numpy().reshape(data.n_users, data.n_items)


def test_weighted_ease_is_the_closed_form_on_values(data, tmp_path):
    matrix = value_matrix(data)
    inverse = np.linalg.inv(matrix.T @ matrix + 10 * np.eye(data.n_items))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    fitted = models.EASE(l2=10.0).fit(data, weight="value")
    np.testing.assert_allclose(score_matrix(fitted, data), matrix @ weights, rtol=1e-3, atol=1e-5)
    fitted.save(tmp_path / "model")
    loaded = models.load(tmp_path / "model")
    assert loaded.recommend(k=3).equals(fitted.recommend(k=3))
    assert loaded.weight == "value"


@pytest.mark.parametrize("scale", [1.0, 0.01])
def test_weighted_neighbours_are_the_cosines_of_the_columns_of_values(data, scale):
    frame = data.to_frame().with_columns(pl.col("value") * scale)
    scaled = plait.Dataset.of(frame.drop("kind"))
    matrix = value_matrix(scaled)
    norms = np.linalg.norm(matrix, axis=0)
    cosine = matrix.T @ matrix / np.outer(norms, norms)
    np.fill_diagonal(cosine, 0)
    fitted = models.ItemKNN().fit(scaled, weight="value")
    scores = score_matrix(fitted, scaled)
    is_new = matrix == 0  # who comes back to an item has it as a neighbour of itself
    np.testing.assert_allclose(scores[is_new], (matrix @ cosine)[is_new], rtol=1e-4, atol=1e-6)


def test_values_weigh_the_items_of_a_user_of_vectors_and_content():
    rows = [("ann", "x", 9.0), ("ann", "y", 1.0), ("bob", "z", 1.0)]
    names = ("user", "item", "value")
    titles = [{"item": "x", "title": "red"}, {"item": "y", "title": "blue"}]
    titles.append({"item": "z", "title": "red blue"})
    train = plait.Dataset.of([dict(zip(names, row, strict=True)) for row in rows], items=titles)
    model = models.Vectors(["x", "y", "z"], [[1, 0], [0, 1], [1, 1]], similarity="dot")
    fitted = model.fit(train, weight="value")
    np.testing.assert_allclose(fitted.user_vectors.vectors[0], [0.9, 0.1], rtol=1e-6)
    content = models.Content()
    plain, valued = (
        content.fit(train, weight=weight).scores([("ann", "x"), ("ann", "y")])["score"]
        for weight in (None, "value")
    )
    assert valued[0] - valued[1] > plain[0] - plain[1]


def test_logarithms_of_values_weigh_in_the_fit_and_in_the_histories(data, tmp_path):
    frame = data.to_frame()
    logs = frame.with_columns(value=(1 + pl.col("value")).log(2))
    expected = models.EASE(l2=10.0).fit(plait.Dataset.of(logs.drop("kind")), weight="value")
    fitted = models.EASE(l2=10.0).fit(data, weight="log")
    right = score_matrix(expected, data)
    np.testing.assert_allclose(score_matrix(fitted, data), right, rtol=1e-4, atol=1e-6)
    fitted.save(tmp_path / "model")
    assert models.load(tmp_path / "model").weight == "log"
    members = {"ease": fitted, "popular": models.Popular().fit(data)}
    fused = plait.fuse(members, weights={"ease": 1, "popular": 0}, seen="keep")
    alone = fitted.recommend(k=3, seen="keep").select("user", "item")
    assert fused.recommend(k=3, seen="keep").select("user", "item").equals(alone)


def test_popular_counts_values():
    names = ("user", "item", "value")
    rows = [("a", "x", 1.0), ("b", "x", 1.0), ("a", "y", 5.0), ("b", "z", 0.5)]
    train = plait.Dataset.of([dict(zip(names, row, strict=True)) for row in rows])
    for weight, first in ((None, "x"), ("value", "y")):
        fitted = models.Popular().fit(train, weight=weight)
        assert fitted.recommend(["new"], k=1)["item"].to_list() == [first]


@pytest.mark.parametrize("weight", [None, "value"])
def test_ials_solves_users_as_implicit_does(data, weight):
    pytest.importorskip("implicit")
    fitted = models.IALS(factors=4, iterations=20, alpha=3.0).fit(data, weight=weight)
    matrix = value_matrix(data)
    matrix = matrix if weight else (matrix > 0).astype(float)
    ids, items = fitted.item_vectors
    users = fitted.user_vectors.vectors
    order = data.catalogue.numbers(ids)
    for user in range(data.n_users):
        confidence = 3.0 * matrix[user, order]
        weighted = items.T * np.where(confidence > 0, confidence, 1.0)
        expected = np.linalg.solve(weighted @ items + 0.01 * np.eye(4), items.T @ confidence)
        np.testing.assert_allclose(users[user], expected, rtol=1e-3, atol=1e-4)


def test_purchases_count_in_ials_as_views_do():
    pytest.importorskip("implicit")
    pairs = [(f"u{n % 6}", f"i{n % 5}") for n in range(40)]
    users, items = zip(*pairs, strict=True)
    scores = [
        models.IALS(factors=2).fit(plait.Dataset.from_arrays(users, items, event_types=kinds))
        for kinds in (["view"] * 40, ["purchase"] * 40)
    ]
    views, purchases = (fitted.recommend(k=5, seen="keep") for fitted in scores)
    assert views.equals(purchases)


@pytest.mark.parametrize(
    ("model", "weight"),
    [
        (models.Linear(), "value"),
        (models.BPR(), "value"),
        (models.BM25(), "value"),
        (models.SVDpp(), "value"),
        (models.Given({"u1": ["i1"]}), "value"),
        (models.EASE(), "rating"),
        (models.EASE(), 2.0),
    ],
)
def test_weights_that_a_model_cannot_use_are_refused(data, model, weight):
    with pytest.raises(InputError):
        model.fit(data, weight=weight)


@pytest.mark.parametrize("values", [[1.0, None], [1.0, 0.0], [1.0, -2.0], None])
def test_values_that_are_no_weights_are_refused(values):
    dataset = plait.Dataset.from_arrays(["a", "b"], ["x", "y"], values=values)
    with pytest.raises(InputError):
        models.EASE().fit(dataset, weight="value")


def test_the_cpu_is_a_device_of_every_model_and_others_of_networks_alone(data):
    models.EASE().fit(data, device="cpu")
    with pytest.raises(InputError):
        models.EASE().fit(data, device="cuda:0")


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "cuda:-1", ""])
def test_what_is_no_device_is_refused_at_once(device):
    with pytest.raises(RecipeError):
        models.SASRec(device=device)


def test_a_device_that_torch_does_not_see_is_refused(data):
    pytest.importorskip("torch")
    with pytest.raises(InputError) as problem:
        models.SASRec(dim=8, epochs=1).fit(data, device="cuda:99")
    assert problem.value.field == "device"


def test_progress_is_called_and_drawn(data, capsys):
    calls = []
    models.EASE().fit(data, progress=lambda *call: calls.append(call))
    assert [call[1:] for call in calls] == [(0, 1), (1, 1)]
    models.EASE().fit(data, progress=True)
    models.EASE().fit(data, progress=False)
    assert capsys.readouterr().out == ""


def network(**settings):
    pytest.importorskip("torch")
    return models.SASRec(dim=8, layers=1, dropout=0.1, **settings)


def test_a_curve_records_every_epoch_of_every_fit(data):
    curve = plait.Curve()
    train, validation = data.split_last()
    fitted = network(epochs=3).fit(
        train, validation=validation, trackers=[curve], device="cpu", progress=False
    )
    models.LightGCN(dim=4, layers=1, epochs=2).fit(train, trackers=curve)
    frame = curve.to_frame()
    assert frame["epoch"].to_list() == [1, 2, 3, 1, 2]
    assert frame["run"].n_unique() == len(curve.runs) == 2
    assert frame["loss"].null_count() == 0
    assert frame["ndcg@10"].null_count() == 2
    assert fitted.model.device == "cpu"


def test_a_curve_is_plotted():
    pytest.importorskip("matplotlib")
    curve = plait.Curve()
    with pytest.raises(InputError):
        curve.plot()
    for run in ("a", "a"):
        curve.begin(run, {})
        curve.report(1, {"loss": 2.0, "learning_rate": 0.1})
        curve.report(2, {"loss": 1.0, "learning_rate": 0.1, "NDCG@10": 0.5})
        curve.end()
    titles = [axes.get_title() for axes in curve.plot().axes]
    assert titles == ["loss", "NDCG@10"]
    lines = curve.plot("loss").axes[0].get_lines()
    assert [line.get_label() for line in lines] == ["a", "a 2"]
    assert lines[0].get_ydata().tolist() == [2.0, 1.0]
    with pytest.raises(InputError):
        curve.plot("accuracy")


def test_a_callback_stops_the_training(data):
    epochs = []

    def stop_after_two(epoch, values):
        epochs.append((epoch, sorted(values)))
        return "stop" if epoch == 2 else None

    network(epochs=9).fit(data, callbacks=[stop_after_two])
    assert [epoch for epoch, _ in epochs] == [1, 2]
    assert {"loss", "learning_rate"} <= set(epochs[0][1])


@pytest.mark.parametrize("callbacks", [lambda _epoch, _values: "go on", "stop", [3]])
def test_what_is_no_callback_is_refused(data, callbacks):
    with pytest.raises(InputError):
        network(epochs=1).fit(data, callbacks=callbacks)


def test_names_of_trackers_are_trackers_that_write_to_the_folder(tmp_path):
    pytest.importorskip("tensorboard")
    pytest.importorskip("accelerate")
    curve = plait.Curve()
    first, second = trackers_of(["tensorboard", curve], tmp_path)
    assert second is curve
    first.begin("run", {"seed": 0})
    first.report(1, {"loss": 1.0})
    first.end()
    assert list((tmp_path / "tracking").rglob("events.*"))


@pytest.mark.parametrize("trackers", ["no tracker", [3], object()])
def test_what_is_no_tracker_is_refused(data, trackers):
    with pytest.raises(InputError):
        models.EASE().fit(data, trackers=trackers)


def test_the_published_loss_of_sasrec_learns_the_order():
    rows = [
        {"user": f"u{user}", "item": f"i{(user + step) % 40:02}", "time": step}
        for user in range(160)
        for step in range(6)
    ]
    dataset = plait.Dataset.of(rows)
    model = network(loss="bce", epochs=20, batch_size=32, learning_rate=0.01)
    lists = model.fit(dataset, seed=1).recommend(k=1, seen="keep")
    expected = [f"i{(int(user[1:]) + 6) % 40:02}" for user in lists["user"]]
    assert np.mean([a == b for a, b in zip(lists["item"], expected, strict=True)]) > 0.5


def test_bert4rec_has_no_loss_of_one_negative():
    with pytest.raises(RecipeError):
        models.BERT4Rec(loss="bce")


def test_negatives_of_a_history_are_not_in_it():
    torch = pytest.importorskip("torch")
    from plait.training.negative_sampling import unseen_items

    rows = torch.tensor([[1, 2, 3, 0], [4, 4, 4, 4]])
    drawn = unseen_items(rows.repeat(50, 1), 5)
    assert drawn.shape == (100, 3)
    assert set(drawn[::2].unique().tolist()) == {4, 5}
    assert set(drawn[1::2].unique().tolist()) == {1, 2, 3, 5}


def test_curves_without_epochs_are_an_empty_frame():
    assert (
        plait.Curve().to_frame().equals(pl.DataFrame(schema={"run": pl.String, "epoch": pl.Int64}))
    )
