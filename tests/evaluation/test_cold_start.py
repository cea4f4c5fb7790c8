"""The protocols cold-items and cold-users, from the data to the report."""

import numpy as np
import pytest

from plait.errors import ProtocolError
from plait.evaluation.evaluate import evaluate
from plait.evaluation.protocol import Protocol
from plait.evaluation.reporting.table import report_text
from plait.pipeline.recipe import Recipe
from tests.dataset_fixtures import world
from tests.evaluation.fake_stages import recipe

COLD_ITEMS = Protocol(name="cold-items", cold=0.2, seed=7, k=(1,))
COLD_USERS = Protocol(name="cold-users", test_users=0.3, events=(0, 1, 3), k=(5,))


@pytest.fixture(scope="module")
def genres():
    """Users who stay within one of four genres of ten items."""
    generator = np.random.default_rng(5)
    rows = [
        (f"u{user}", f"i{user % 4 * 10 + item}", step)
        for user in range(80)
        for step, item in enumerate(generator.permutation(10)[:7])
    ]
    fields = {f"i{item}": {"genre": f"g{item // 10}"} for item in range(40)}
    return world(rows, item_fields=fields)


@pytest.fixture(scope="module")
def cold_items_report(genres):
    return evaluate(genres, [Recipe("words", {"content": {"min_df": 1}}, {})], COLD_ITEMS)


def test_a_model_of_content_finds_cold_items_and_popularity_does_not(cold_items_report):
    content = cold_items_report.result("fused").metrics
    popular = cold_items_report.result("popular-all").metrics
    # three items or more of the genre are unseen, and all of them are tied; there are 40 items
    assert content["recall@1|cold"].value > 0.2
    assert popular["recall@1|cold"].value == 0
    assert popular["recall@1|cold-alone"].value == 0
    assert popular["recall@1|warm-alone"].value == popular["recall@1|warm"].value


def test_fewer_rivals_make_no_target_harder_to_find(cold_items_report):
    metrics = cold_items_report.result("fused").metrics
    assert metrics["recall@1|warm-alone"].value > metrics["recall@1|warm"].value
    assert metrics["recall@1|cold-alone"].value > metrics["recall@1|cold"].value


def test_the_report_has_a_table_of_cold_items(cold_items_report):
    text = report_text(cold_items_report)
    for name in ("cold", "warm", "warm-alone", "cold-alone"):
        assert f"recall@1|{name}" in text
    assert cold_items_report.data["slices"]["cold"] > 0


def test_cold_users_are_measured_by_the_number_of_their_events(genres):
    report = evaluate(genres, [Recipe("words", {"content": {"min_df": 1}}, {})], COLD_USERS)
    content = [report.result("fused").metrics[f"recall@5|events:{n}"].value for n in (0, 1, 3)]
    assert content[0] < content[1] < content[2]
    assert report.data["queries"] == 3 * 24
    assert len(set(report.detail.keys.tolist())) == 3 * 24
    assert "recall@5|events:3" in report_text(report)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"name": "cold-items", "cold": 1.0}, "cold"),
        ({"name": "cold-items", "refit": True}, "refit"),
        ({"name": "cold-items", "candidates": "sampled:9"}, "candidates"),
        ({"name": "cold-users", "events": (-1,)}, "events"),
        ({"name": "time", "cold": 0.2}, "cold"),
    ],
)
def test_wrong_options_are_refused(genres, options, field):
    with pytest.raises(ProtocolError) as caught:
        evaluate(genres, [recipe("Counts")], Protocol(**options))
    assert caught.value.field == field
