"""Runs side by side: what is saved, what may be compared, and the conclusion."""

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from plait.cli.main import app
from plait.errors import InputError, NotFoundError, ProtocolError
from plait.evaluation.evaluate import evaluate
from plait.evaluation.protocol import Protocol
from plait.evaluation.reporting.comparison_notes import comparison_notes
from plait.evaluation.reporting.comparison_page import render_page
from plait.evaluation.results.comparison import compare
from plait.evaluation.results.paired_difference import Difference
from plait.evaluation.results.per_query_metrics import (
    PerQueryMetrics,
    is_better,
    read_per_query,
    write_per_query,
)
from plait.evaluation.results.run_store import Run, find_run, read_run, save_run, write_report
from plait.metrics.bootstrap import Interval
from tests.dataset_fixtures import random_rows, world
from tests.evaluation.fake_stages import recipe
from tests.evaluation.saved_runs import DATA, ROWS, clock, run


def test_a_written_report_is_read_unchanged(tmp_path):
    report = evaluate(DATA, [recipe("Counts", "Follows")], Protocol())
    write_report(tmp_path / "one.json", report)
    stored = read_run(tmp_path / "one.json")
    assert stored.hash == report.protocol.hash
    assert stored.name == "one"
    for model, metrics in report.detail.values.items():
        for name, values in metrics.items():
            assert (stored.detail.values[model][name] == values).all()
            assert values.mean() == pytest.approx(report.result(model).metrics[name].value)


def test_a_report_compares_its_rows_as_a_stored_run_does(tmp_path):
    report = evaluate(DATA, [recipe("Counts", "Follows")], Protocol())
    write_report(tmp_path / "first.json", report)
    stored = compare([read_run(tmp_path / "first.json")], ["counts", "follows"]).differences
    differences = report.compare("counts", "follows")
    assert [str(difference) for difference in differences] == [str(entry) for entry in stored]
    best = max(report.results, key=lambda row: row.metrics["ndcg@10"].value)
    assert {entry.model for entry in report.compare()} == {best.model}
    with pytest.raises(InputError):
        report.compare("counts")
    with pytest.raises(InputError):
        replace(report, detail=None).compare()


def test_find_run_finds_a_saved_run_by_the_beginning_of_its_name(tmp_path):
    report = evaluate(DATA, [recipe("Counts")], Protocol())
    folder = save_run(tmp_path / "runs", report)
    assert folder.name == report.run
    assert read_run(find_run(report.run[:-2], tmp_path)).name == report.run
    with pytest.raises(NotFoundError) as refused:
        find_run("other", tmp_path)
    assert refused.value.field == "run"


def test_compare_of_equal_runs_is_a_tie(tmp_path):
    comparison = compare(
        [run(tmp_path, "a"), run(tmp_path, "b", toy=recipe("Counts", name="again"))]
    )
    assert comparison.n_common == comparison.n_most == len(comparison.runs[0].detail.keys) > 20
    assert all(
        difference.tie and difference.difference.value == 0 for difference in comparison.differences
    )
    assert all("tie" in difference.conclusion for difference in comparison.differences)


def test_compare_names_the_better_model_in_any_order_of_runs(tmp_path):
    good = run(tmp_path, "good", clock(), recipe("Follows"), k=(3,))
    poor = run(tmp_path, "poor", clock(), recipe("Counts"), k=(3,))
    for order in ([good, poor], [poor, good]):
        comparison = compare(order)
        assert comparison.entries[0].label == ("good/fused")
        (first, *_) = comparison.differences
        assert not first.tie
        assert first.conclusion.startswith("ndcg@3: good/fused is better than poor/fused by 0.")
    gap = first.difference.value
    good_mean, poor_mean = (
        run_of_two.detail.values["fused"]["ndcg@3"].mean() for run_of_two in (good, poor)
    )
    assert gap == pytest.approx(good_mean - poor_mean, abs=1e-6)


def test_difference_of_a_constant_lead_has_a_narrow_interval(tmp_path):
    keys = np.arange(400, dtype=np.int64)
    base = np.random.default_rng(0).random(400).astype(np.float32)
    detail = PerQueryMetrics(keys, keys, {"a": {"ndcg@1": base + 0.01}, "b": {"ndcg@1": base}})
    gap = detail.difference("ndcg@1", "a", "b")
    assert gap.low > 0.0099
    assert gap.high < 0.0101


def test_compare_uses_common_queries_only(tmp_path):
    whole = run(tmp_path, "one")
    most = len(whole.detail.keys)
    part = whole.detail.take(np.arange(most - 5)[::-1])
    less = replace(whole, name="less", detail=part)
    comparison = compare([whole, less])
    assert (comparison.n_common, comparison.n_most) == (most - 5, most)
    assert all(gap.difference.value == 0 for gap in comparison.differences)
    assert any(
        f"{most - 5} common queries, of {most}" in line for line in comparison_notes(comparison)
    )


@pytest.mark.parametrize(
    ("options", "difference"),
    [
        ({"seen": "keep"}, "seen is 'remove' and 'keep'"),
        ({"k": (3,)}, r"no metric in common: k is \[5, 10\] and \[3\]"),
        ({"name": "time"}, "name is 'leave-one-out' and 'time'"),
    ],
)
def test_compare_refuses_other_protocols(tmp_path, options, difference):
    with pytest.raises(ProtocolError, match=difference):
        compare([run(tmp_path, "a"), run(tmp_path, "b", **options)])


def test_runs_of_other_k_and_resamples_are_compared_at_their_common_k(tmp_path):
    first = run(tmp_path, "a", k=(5, 10), resamples=100)
    second = run(tmp_path, "b", k=(3, 5), resamples=200)
    assert first.hash != second.hash
    comparison = compare([first, second])
    assert comparison.metrics == ["ndcg@5", "recall@5"]
    assert all(difference.difference.value == 0 for difference in comparison.differences)


def test_compare_refuses_other_data(tmp_path):
    more = world([*ROWS, ("u1", "i3", 70.0)])
    with pytest.raises(ProtocolError, match="the log ends at 1200 and 1201"):
        compare([run(tmp_path, "a"), run(tmp_path, "b", more)])
    moved = world([*ROWS[:-1], (ROWS[-1][0], "i0", ROWS[-1][2])])
    with pytest.raises(ProtocolError, match="the interactions are"):
        compare([run(tmp_path, "a"), run(tmp_path, "b", moved)])


def test_compare_refuses_a_single_row_and_an_unknown_row(tmp_path):
    single = run(tmp_path, "a")
    assert len(compare([single]).entries) == 4
    with pytest.raises(InputError) as too_few:
        compare([single], ["fused"])
    assert too_few.value.field == "run"
    with pytest.raises(InputError) as unknown:
        compare([single], ["linear", "fused"])
    assert unknown.value.field == "row"
    assert "fused" in unknown.value.hint


def test_compare_accepts_a_row_of_one_run_only(tmp_path):
    good = run(tmp_path, "good", clock(), recipe("Follows"), k=(3,))
    poor = run(tmp_path, "poor", clock(), recipe("Counts"), k=(3,))
    comparison = compare([good, poor], ["follows", "counts"])
    assert [entry.label for entry in comparison.entries] == ["follows", "counts"]


def test_compare_ranks_by_the_first_metric_with_a_value(tmp_path):
    """Each user has one example, so no user has an AUC: the log loss decides."""
    rows = [
        (f"u{day}", f"i{day % 9}", float(day), "click" if day % 9 > 3 else "skip")
        for day in range(600)
    ]
    options = {"name": "clicks", "test_days": 100}
    comparison = compare([run(tmp_path, "one", world(rows), recipe("Dice"), **options)])
    losses = [entry.metric("log_loss").value for entry in comparison.entries]
    assert comparison.metrics[0] == "gauc"
    assert np.isnan([entry.metric("gauc").value for entry in comparison.entries]).all()
    assert losses == sorted(losses)
    assert comparison.entries[0].label == "item-rate"
    assert {difference.metric for difference in comparison.differences} == {"log_loss"}


def test_read_run_refuses_other_files(tmp_path):
    (tmp_path / "x.json").write_text("[1]")
    with pytest.raises(InputError, match=r"x\.json"):
        read_run(tmp_path / "x.json")
    run(tmp_path, "a")
    (tmp_path / "a.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:99])
    with pytest.raises(InputError, match=r"a\.npz"):
        read_run(tmp_path / "a.json")


def test_is_better_knows_metrics_of_which_less_is_better():
    assert is_better("rmse", -0.1)
    assert not is_better("log_loss", 0.1)
    assert is_better("ndcg@10", 0.1)


def test_per_query_weights_and_roots_survive_a_file(tmp_path):
    keys = np.arange(4, dtype=np.int64)
    values = {"a": {"rmse": np.array([1, 4, 9, 16], "f4")}}
    detail = PerQueryMetrics(keys, keys, values, {"rmse": np.array([1, 1, 0, 0], "f4")})
    write_per_query(tmp_path / "x.npz", detail)
    again = read_per_query(tmp_path / "x.npz")
    reached = again.means([("a", "rmse")], resamples=10, seed=0)
    assert reached[0, 0] == pytest.approx(np.sqrt(2.5))


def test_the_compare_command_prints_and_writes_json(tmp_path):
    run(tmp_path, "good", clock(), recipe("Follows"), k=(3,))
    run(tmp_path, "poor", clock(), recipe("Counts"), k=(3,))
    names = [str(tmp_path / f"{stem}.json") for stem in ("good", "poor")]
    done = CliRunner().invoke(
        app, ["compare", *names, "--json", str(tmp_path / "c.json")], catch_exceptions=False
    )
    assert done.exit_code == 0
    assert "good/fused is better than poor/fused" in done.stdout
    written = json.loads((tmp_path / "c.json").read_text())
    assert written["queries"] == 60
    assert written["differences"][0]["tie"] is False


def test_compare_of_ten_equal_rows_finds_only_ties(tmp_path):
    """Ten times chance: two by two, the luckiest would be called better than the unluckiest."""
    data = world(random_rows(users=300, events=6000))
    runs = [run(tmp_path, f"r{seed}", data, recipe("Dice", name=f"m{seed}")) for seed in range(2)]
    generator = np.random.default_rng(1)
    model = runs[0].report["results"][0]
    keys = runs[0].detail.keys
    values = {
        f"m{number}": {"ndcg@10": generator.random(len(keys)).astype(np.float32)}
        for number in range(10)
    }
    report = {**runs[0].report, "results": [{**model, "model": name} for name in values]}
    for row in report["results"]:
        row["metrics"] = {"ndcg@10": {"value": float(values[row["model"]]["ndcg@10"].mean())}}
        row["metrics"]["ndcg@10"] |= {"low": 0.0, "high": 1.0}
    many = Run("many", report, PerQueryMetrics(keys, runs[0].detail.users, values))
    comparison = compare([many])
    first, last = comparison.entries[0].label, comparison.entries[-1].label
    assert not Difference("", "", "", many.detail.difference("ndcg@10", first, last)).tie
    assert all(difference.tie for difference in comparison.differences)
    assert any("all pairs at once" in line for line in comparison_notes(comparison))
    assert not any("all pairs at once" in line for line in comparison_notes(compare(runs)))


def test_comparison_notes_hold_the_warnings_of_every_run(tmp_path):
    rows = [(f"u{user}", f"i{user * 4 + step}", step) for user in range(30) for step in range(4)]
    rows += [(f"w{user}", f"i{user}", 0) for user in range(120) if user % 4 > 1]
    apart = run(tmp_path, "apart", world(rows), recipe("Dice", name="apart"))
    tied = run(tmp_path, "tied", world(rows), recipe("Counts", name="tied"))
    for runs in ([apart, tied], [tied, apart]):
        lines = list(comparison_notes(compare(runs)))
        assert sum(line.startswith("flag ties") for line in lines) == 1
        assert sum(line.startswith("flag few:") for line in lines) == 1


def test_conclusion_states_a_lead_within_its_bounds():
    for metric, gap in (("rmse", (-0.12, -0.24, -0.01)), ("ndcg@10", (0.12, 0.01, 0.24))):
        text = Difference(metric, "a", "b", Interval(*gap)).conclusion
        assert text == f"{metric}: a is better than b by 0.1200 [+0.0100 +0.2400]"
    text = Difference("rmse", "a", "b", Interval(0.12, 0.01, 0.24)).conclusion
    assert text == "rmse: b is better than a by 0.1200 [+0.0100 +0.2400]"


@pytest.mark.parametrize(
    ("users", "reason"),
    [(1, "one user is not enough"), (3, "all agree by chance in one sample of 4")],
)
def test_a_difference_of_few_users_is_unknown(tmp_path, users, reason):
    """Every user sees the same difference: the interval has no width, and proves nothing."""
    pytest.importorskip("matplotlib")
    single = run(tmp_path, "one", clock(), recipe("Follows"), k=(3,))
    few = replace(single, detail=single.detail.take(np.arange(users)))
    report = json.loads(json.dumps(single.report))
    for row in report["results"]:
        row["metrics"] |= {"ndcg@3": {"value": 0.5, "low": None, "high": None}}
    few = replace(few, report=report)
    comparison = compare([few], ["follows", "popular-all"])
    (first,) = (
        difference for difference in comparison.differences if difference.metric == "ndcg@3"
    )
    assert first.difference.value != 0
    assert first.tie
    assert first.users == users
    assert first.conclusion.startswith("ndcg@3: unknown, ")
    assert reason in first.conclusion
    written = json.dumps(comparison.to_dict(), allow_nan=False)
    assert f'"users": {users}' in written
    text = render_page(comparison)
    assert reason in text
    assert "ahead of every other row" not in text
    assert "nan" not in text.partition("<svg")[0]
    assert "no interval of ndcg@3" in "\n".join(comparison_notes(comparison))


def test_a_difference_of_six_agreeing_users_is_known(tmp_path):
    whole = run(tmp_path, "one", clock(), recipe("Follows"), k=(3,))
    six = replace(whole, detail=whole.detail.take(np.arange(6)))
    (first, *_) = compare([six], ["follows", "popular-all"]).differences
    assert not first.tie


def test_compare_leaves_out_rows_without_lists(tmp_path):
    comparison = compare([run(tmp_path, "one", toy=recipe("Counts", "Nothing"))])
    labels = [entry.label for entry in comparison.entries]
    assert "counts" in labels
    assert "nothing" not in labels
    named = compare(comparison.runs, ["counts", "nothing"])
    assert [entry.label for entry in named.entries] == ["counts", "nothing"]
