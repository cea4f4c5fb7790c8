"""Cold starts by name: who asks with a short history, for what is rare, for what is young."""

import json
from dataclasses import replace

import numpy as np
import pytest

from plait.evaluation.evaluate import evaluate
from plait.evaluation.protocol import Protocol
from plait.evaluation.reporting.comparison_page import write_pages
from plait.evaluation.results.comparison import compare
from plait.evaluation.results.run_store import read_run, write_report
from tests.dataset_fixtures import random_rows, world
from tests.evaluation.fake_stages import recipe

ITEMS = ("young", "rare", "often", "ghost", "new")
"""The later an item stands, the more the Oracle expects a click on it."""


def showings():
    """Before the cut at day 90: `often` is taken 33 times from day 0 on, `rare` three times from
    day 20 on, `young` once on day 85, and `ghost` is shown alone, on day 70.

    Behind it, at day 91, eight are shown everything. Two of whom there are six events take `often`
    and `ghost`, six newcomers `rare` and `new`; of one more there is a click on `often`.
    """
    rows = [(f"u{day % 2}", "often", float(day), "click") for day in range(12)]
    rows += [(f"w{day}", "often", 30.0 + day, "click") for day in range(18)]
    rows += [(f"w{day}", "rare", 20.0 + day, "click") for day in range(3)]
    rows += [("w5", "young", 85.0, "click"), ("w6", "ghost", 70.0, "skip")]
    rows += [(f"w{number}", "often", 86.0, "click") for number in range(3)]  # to learn from
    rows += [(f"w{number}", "rare", 87.0, "skip") for number in range(3)]
    for user in ("u0", "u1", "v0", "v1", "v2", "v3", "v4", "v5"):
        taken = ("often", "ghost") if user[0] == "u" else ("rare", "new")
        rows += [(user, name, 91.0, "click" if name in taken else "skip") for name in ITEMS]
    rows.append(("late", "often", 95.0, "click"))
    return world(rows, items=ITEMS)


CLICKS = Protocol(name="clicks", test_days=5)


@pytest.fixture(scope="module")
def clicked():
    return evaluate(showings(), [recipe("Oracle", steps=())], CLICKS)


def test_examples_are_counted_by_history_popularity_and_age(clicked):
    assert clicked.data["targets"] == 41
    assert clicked.data["slices"] == {
        "history:0": 31,
        "history:5-19": 10,
        "new-items": 16,  # what was shown alone, and what was not there
        "popularity:1-4": 16,
        "popularity:20-99": 9,
        "age:0-7d": 8,
        "age:7-30d": 8,  # since it was shown
        "age:30-90d": 8,
        "age:90-365d": 9,
    }


def test_a_slice_has_the_auc_of_its_own_examples(clicked):
    """Oracle ranks young < rare < often < ghost < new."""
    metrics = clicked.result("oracle").metrics
    assert metrics["auc|history:5-19"].value == pytest.approx(4 / 6)  # new is above both clicks
    # late took `often` beside six who did not; the others took `rare` and `new`
    hits, misses = [1] * 6 + [4] * 6 + [2], [0] * 6 + [2] * 6 + [3] * 6
    wins = sum((hit > other) + (hit == other) / 2 for hit in hits for other in misses)
    assert metrics["auc|history:0"].value == pytest.approx(wins / (13 * 18))
    assert metrics["auc|age:30-90d"].value == pytest.approx(0.5)  # one item, one score
    assert metrics["auc|popularity:1-4"].value == pytest.approx(0.5 + 0.5 * 8 / 10)


def test_log_losses_of_slices_add_up_to_that_of_all(clicked):
    sizes = clicked.data["slices"]
    for row in clicked.results:
        for bands in (
            ("history:0", "history:5-19"),
            ("new-items", "popularity:1-4", "popularity:20-99"),
        ):
            whole = sum(sizes[name] * row.metrics[f"log_loss|{name}"].value for name in bands)
            assert whole / 41 == pytest.approx(row.metrics["log_loss"].value)


def test_only_auc_and_log_loss_have_slices(clicked):
    names = {name.partition("|")[0] for name in clicked.result("fused").metrics if "|" in name}
    assert names == {"auc", "log_loss"}


def test_a_slice_without_clicks_has_no_auc_and_the_page_explains_it(tmp_path, clicked):
    """Nobody takes what is young."""
    pytest.importorskip("matplotlib")
    metrics = clicked.result("oracle").metrics
    assert np.isnan(metrics["auc|age:0-7d"]).all()
    assert metrics["log_loss|age:0-7d"].value > 0
    path = tmp_path / "a.json"
    write_report(path, clicked)
    row = json.loads(path.read_text(), parse_constant=pytest.fail)["results"][0]
    assert row["metrics"]["auc|age:0-7d"]["value"] is None
    write_pages([read_run(path)], tmp_path / "a.html", None)
    text = (tmp_path / "a.html").read_text()
    assert ">nan" not in text
    assert "auc|age:0-7d: there are only clicks, or only misses" in text
    assert text.count("only clicks, or only misses") == 1 + len(
        clicked.results
    )  # the line, and each cell


def test_click_slices_are_drawn_and_tabulated(tmp_path, clicked):
    pytest.importorskip("matplotlib")
    write_report(tmp_path / "a.json", clicked)
    runs = [read_run(tmp_path / "a.json")]
    assert compare(runs).main_metric == "gauc"
    write_pages(runs, tmp_path / "a.html", tmp_path / "plots")
    names = {path.stem for path in (tmp_path / "plots").iterdir()}
    assert {"history", "popularity", "age", "reliability"} <= names
    text = (tmp_path / "a.html").read_text()
    assert "<h2>auc in every slice</h2>" in text
    assert "<th>history:5-19</th>" in text
    assert "auc by length of the user" in text


def rated(clock="time"):
    """Item n first comes on day 10 n; on day 100 everybody rates everything."""
    rows = [(f"w{item}", f"i{item}", 10.0 * item) for item in range(10)]
    rows += [(f"u{user}", f"i{item}", 100.0) for user in range(30) for item in range(10)]
    data = world(rows, clock=clock)
    values = (data.interactions.items % 5 + 1).astype("f4")
    return replace(data, interactions=replace(data.interactions, values=values))


def test_ratings_are_counted_by_the_age_of_the_item():
    data = rated()
    late = data.interactions.times == data.interactions.times.max()
    test = data.keep(late & (data.interactions.users >= 20))
    report = evaluate(data, [recipe("Mean", steps=())], Protocol(name="ratings"), test=test)
    many = report.data["targets"] // 10
    ages = {name: size for name, size in report.data["slices"].items() if name.startswith("age:")}
    assert ages == {"age:7-30d": 2 * many, "age:30-90d": 6 * many, "age:90-365d": 2 * many}
    assert report.result("mean").metrics["rmse|age:7-30d"].value == pytest.approx(0, abs=1e-6)
    middle = report.result("global-mean").metrics
    assert middle["mae|age:90-365d"].value == pytest.approx(1.5, abs=0.05)  # worth 1 and 2 of 1..5


def test_ratings_without_times_have_no_age():
    report = evaluate(rated("position"), [recipe("Mean", steps=())], Protocol(name="ratings"))
    assert not any(name.startswith("age:") for name in report.data["slices"])
    timed = evaluate(rated(), [recipe("Mean", steps=())], Protocol(name="ratings"))
    assert any(name.startswith("age:") for name in timed.data["slices"])


def test_a_rating_before_all_events_of_its_item_has_no_age():
    """The event that would tell when the item came is the one that is asked for."""
    data = world(random_rows())
    values = np.ones(len(data.interactions), "f4")
    values[::2] = 2
    data = replace(data, interactions=replace(data.interactions, values=values))
    report = evaluate(data, [recipe("Mean", steps=())], Protocol(name="ratings", test_share=0.5))
    sizes = report.data["slices"]
    ages = sum(size for name, size in sizes.items() if name.startswith("age:"))
    assert 0 < ages < report.data["targets"]
