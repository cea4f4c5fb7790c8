"""Ratings by people and of items that the home does not know: told apart in every count."""

import numpy as np
import pytest

import plait
from plait.evaluation.results.comparison import compare
from plait.evaluation.results.run_store import find_run, read_run
from plait.pipeline.recipe import Recipe
from plait.workspace.test_ratings import rated_file
from tests.dataset_fixtures import random_rows, world


def row(user, item, stars, when=0):
    return {"user_id": user, "item_id": item, "rating": stars, "timestamp": 1_600_000_000 + when}


KNOWN = [row(f"u{n % 20}", f"i{n % 13}", n % 13 % 5 + 1, n) for n in range(400)]
STRANGE = [row(f"new{n // 4}", f"i{n % 4}", 1 + n % 5, 1000 + n) for n in range(120)]
ODD = [row("u1", f"other{n}", 1 + n % 5, 2000) for n in range(10)]


def toy(strand):
    return Recipe.of(
        {
            "name": strand,
            "models": {strand: {"stage": f"tests.evaluation.fake_stages:{strand.title()}"}},
        }
    )


@pytest.fixture
def runs(tmp_path):
    """Two kept runs of two recipes on one test, with a rating in it that is given twice."""
    test = [*KNOWN[:20], *STRANGE, *ODD, {**KNOWN[0], "rating": 5}]
    with plait.open(tmp_path) as shop:
        shop.ingest(events=KNOWN)
        first_report = shop.evaluate("ratings", toy("mean"), test_events=test)
        two = shop.evaluate("ratings", toy("taste"), test_events=test[::-1])
    assert first_report.protocol.hash == two.protocol.hash
    return [read_run(find_run(report.run, tmp_path)) for report in (first_report, two)]


def test_every_rating_is_a_query_of_its_own(runs):
    comparison = compare(runs)
    assert comparison.n_common == comparison.n_most == 151


def test_the_order_of_the_file_does_not_change_pairs(runs):
    first_detail, two = (run.detail for run in runs)
    for metric in ("rmse", "mae"):
        first_errors, second_errors = (
            dict(zip(detail.keys.tolist(), detail.values["global-mean"][metric], strict=True))
            for detail in (first_detail, two)
        )
        assert first_errors == pytest.approx(second_errors)


def test_each_unknown_user_is_resampled_separately(runs):
    for run in runs:
        assert len(np.unique(run.detail.users)) == 20 + 30


def test_unknown_ids_are_numbered_by_name_behind_the_known_ones():
    data = world(random_rows(users=5, items=4, events=60))
    events = [row("u1", "zebra", 1), row("b", "i1", 2), row("a", "apple", 3), row("b", "i2", 4)]
    for order in (events, events[::-1]):
        events_read = rated_file(order, None, data).interactions
        by_value = dict(
            zip(
                events_read.values.tolist(),
                zip(events_read.users.tolist(), events_read.items.tolist(), strict=True),
                strict=True,
            )
        )
        u1 = data.users.number("u1")
        i1, i2 = data.catalogue.numbers(["i1", "i2"]).tolist()
        assert by_value == {
            1: (u1, data.n_items + 1),
            2: (data.n_users + 1, i1),
            3: (data.n_users, data.n_items),
            4: (data.n_users + 1, i2),
        }
