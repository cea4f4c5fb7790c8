"""Tests of learning to rank from clicks after searches, and of what later fits keep."""

import numpy as np
import pytest

import plait
from tests.ranking.test_relevance import COLOURS, ITEMS, KINDS, judgements

RECIPE = {"extends": "search", "name": "learned", "steps": {"relevance": {"max_trees": 40}}}


@pytest.fixture(scope="module")
def clicked(tmp_path_factory):
    """Anna clicks the first three items of the kind that she asked for, by the request."""
    draw = np.random.default_rng(0)
    with plait.open(tmp_path_factory.mktemp("clicked") / "home", impressions=True) as shop:
        shop.ingest(items=ITEMS)
        shop.fit(RECIPE)
        assert not shop.info()["bundle"]["learned"]["relevance"]["learned"]
        for colour in COLOURS:
            for kind in KINDS:
                answer = shop.search(f"{colour} {kind}", k=10)
                good = [item for item in answer.ids if item.endswith(kind)]
                chosen = [item for item in good if draw.random() < 0.7]
                rows = [
                    {
                        "user": "anna",
                        "kind": "view",
                        "item": item,
                        "request_id": answer.request_id,
                    }
                    for item in chosen[:3]
                ]
                shop.post(rows)
        shop.chains.rows.flush()
        shop.fit(RECIPE)
        yield shop


def test_clicks_teach_which_word_counts(clicked):
    learned = clicked.info()["bundle"]["learned"]["relevance"]
    assert learned["source"] == "log"
    assert learned["queries"] == len(COLOURS) * len(KINDS)
    assert learned["ordered"] > learned["ordered_by_fusion"]
    best = clicked.search("pink spotted mug", k=3).ids
    assert all(item.endswith("mug") for item in best), best


def test_a_later_fit_keeps_what_judgements_taught(clicked):
    clicked.fit(RECIPE, judgements=judgements())
    taught = clicked.info()["bundle"]["learned"]["relevance"]
    clicked.fit(RECIPE)
    assert taught["source"] == "judgements"
    assert clicked.info()["bundle"]["learned"]["relevance"] == taught
