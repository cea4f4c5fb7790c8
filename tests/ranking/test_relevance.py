"""Tests of learning to rank: a world in which the last word of a query says what is sought."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import plait
from plait.cli.main import app
from plait.errors import BundleError, InputError
from plait.ranking.relevance.relevance import Relevance
from plait.ranking.relevance.relevance_trees import (
    N_FOLDS,
    LabelledItems,
    ListedItems,
    learn_relevance,
    query_hash,
)
from plait.testing.queries import ask
from plait.testing.stage_case import same

COLOURS = [
    *("amber", "beige", "black", "blue", "bronze", "brown", "coral", "cream", "gold", "green"),
    *("ivory", "khaki", "lilac", "mauve", "olive", "peach", "pink", "plum", "purple", "red"),
]
KINDS = ["basket", "candle", "lantern", "mug", "plate"]
ITEMS = [
    {"item": f"{colour}-{kind}", "title": f"{colour} {kind}"}
    for colour in COLOURS
    for kind in KINDS
]


def judgements():
    """Kinds are frequent words and colours are rare, so that BM25 prefers the wrong match."""
    rows = []
    for at, colour in enumerate(COLOURS):
        for place, kind in enumerate(KINDS):
            other, kind_of_other = COLOURS[(at + 7) % 20], KINDS[(place + 2) % 5]
            query = f"{colour} {kind}"
            rows += [
                (query, f"{colour}-{kind}", 3.0),
                (query, f"{other}-{kind}", 2.0),
                (query, f"{colour}-{kind_of_other}", 1.0),
            ]
    return pl.DataFrame(rows, schema=["query", "item", "relevance"], orient="row")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("relevance") / "home"
    recipe = {"extends": "search", "name": "learned", "steps": {"relevance": {"max_trees": 40}}}
    with plait.open(folder) as shop:
        shop.ingest(items=ITEMS)
        shop.fit(recipe, judgements=judgements())
    return folder


def test_judgements_teach_which_word_counts(home):
    with plait.open(home) as shop:
        learned = shop.info()["bundle"]["learned"]["relevance"]
        best = [item.id for item in shop.search("pink spotted mug", k=6).items]
    assert learned["source"] == "judgements"
    assert learned["queries"] == 100
    assert learned["ordered"] > 0.95 > learned["ordered_by_fusion"]
    assert best[0] == "pink-mug"
    assert all(item.endswith("mug") for item in best)


def test_odd_queries_are_answered(home):
    texts = ("zzzzqqq", "a", "!!!", "🙂", "pink " * 300, "\u0645\u062c", "mug'; DROP TABLE items")
    with plait.open(home) as shop:
        answers = [shop.search(text, k=3) for text in texts]
    assert not any(answer.degraded for answer in answers)
    assert all(np.isfinite(item.score) for answer in answers for item in answer.items)


def test_evaluation_uses_trees_that_have_not_seen_the_query(home):
    with plait.open(home) as shop:
        report = shop.evaluate_judgements(judgements(), "rerank")
        lists = shop.evaluate_judgements(judgements(), "collection")
    rows = {row.model: row.metrics for row in report.results}
    assert report.data["learned_queries"] == 100
    assert rows["fused"]["pairs"].value > 0.95
    assert rows["lexical"]["pairs"].value < 0.8
    assert rows["fused"]["rmse"].value < 0.3
    assert {row.model: row.metrics for row in lists.results}["fused"]["hit@10"].value == 1


def test_what_cannot_be_known_of_a_held_out_query_is_not_known():
    """Relevance is noise: held-out trees predict the mean, and nothing is learned."""
    draw = np.random.default_rng(0)
    hashes = np.array([query_hash(f"query {number}") for number in range(100)], np.uint64)
    labelled = LabelledItems(
        hashes,
        np.arange(101) * 4,
        draw.normal(size=(400, 3)).astype(np.float32),
        draw.random(400).astype(np.float32),
        draw.integers(1, 4, 400).astype(np.float64),
        np.ones(400),
    )
    nothing = ListedItems(
        hashes[:0], np.zeros((0, 5, 3), np.float32), np.zeros((0, 5), np.float32), np.zeros((0, 5))
    )
    names = ("a", "b", "c")
    learn = {"source": "log", "max_trees": 20, "seed": 0}
    assert learn_relevance(names, labelled, nothing, **learn) is None
    signal = replace(labelled, relevance=labelled.features[:, 1].astype(np.float64))
    learned = learn_relevance(names, signal, nothing, **learn)
    assert learned is not None
    assert len(learned.fold_trees) == N_FOLDS
    assert learned.fold_of("Query  7") == int(query_hash("query 7") % N_FOLDS)
    assert learned.fold_of("another") == -1
    assert learned.sum_weight < 0  # no list of the catalogue says that it gains there
    few = LabelledItems(
        hashes[:9],
        labelled.offsets[:10],
        signal.features[:36],
        signal.sums[:36],
        signal.relevance[:36],
        signal.weights[:36],
    )
    assert learn_relevance(names, few, nothing, **learn) is None


def test_saved_step_scores_as_before_and_damage_is_reported(home, tmp_path):
    with plait.open(home) as shop:
        pipeline = shop.host.serving().pipeline
        catalogue = shop.host.serving().state.catalogue
        step = next(stage for stage in pipeline.steps if isinstance(stage, Relevance))
        step.save(tmp_path)
        loaded = Relevance.load(step.config, step.name, tmp_path).with_models(pipeline.models)
        queries = ask(catalogue, texts=["pink mug", None], live=shop.host.serving().live)
        before = replace(pipeline, steps=pipeline.steps[:1])
        items = before.run(queries)
        assert same(
            step.apply(queries, items).column("score"), loaded.apply(queries, items).column("score")
        )
        learned = step.learned
        damaged = step.with_learned(replace(learned, trees=learned.trees.replace("tree", "three")))
        with pytest.raises(BundleError):
            damaged.apply(queries, items)


def test_recipe_without_the_step_refuses_judgements(tmp_path):
    with plait.open(tmp_path / "home") as shop:
        shop.ingest(items=ITEMS[:3])
        with pytest.raises(InputError) as caught:
            shop.fit("default", judgements=judgements())
    assert caught.value.field == "judgements"


def test_command_learns_from_a_file(tmp_path):
    home, file = str(tmp_path / "home"), tmp_path / "judgements.csv"
    few = judgements().head(30)
    few.write_csv(file)
    with plait.open(home) as shop:
        shop.ingest(items=ITEMS)
    command = ["fit", "--home", home, "--recipe", "search", "--judgements", str(file)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "relevance: not learned" in result.output
    missing = CliRunner().invoke(app, [*command[:-1], str(tmp_path / "absent.csv")])
    assert isinstance(missing.exception, InputError)
    assert missing.exception.field == "judgements"
