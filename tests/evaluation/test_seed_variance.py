"""What seeds alone may do: a lead that another seed could turn round is none."""

import json
from dataclasses import replace

import pytest
from scipy.stats import t, ttest_ind_from_stats
from typer.testing import CliRunner

from plait.cli.main import app
from plait.evaluation.evaluate import evaluate
from plait.evaluation.protocol import Protocol
from plait.evaluation.reporting.comparison_notes import comparison_notes
from plait.evaluation.reporting.comparison_page import render_page
from plait.evaluation.reporting.report_notes import report_notes
from plait.evaluation.results.comparison import compare
from plait.evaluation.results.paired_difference import Difference
from plait.evaluation.results.run_store import read_run, write_report
from plait.evaluation.results.seed_variance import (
    ONE_SEED,
    SeedVariance,
    depends_on_seed,
    seed_margin,
    with_seed_margin,
)
from plait.metrics.bootstrap import Interval
from tests.dataset_fixtures import world
from tests.evaluation.fake_stages import recipe

ROWS = [
    (f"u{user}", f"i{(user + step) % 30:02}", step + user / 100)
    for user in range(60)
    for step in range(8)
]
CIRCLE = world(ROWS)
THREE = Protocol(k=(3,))


def stored_run(folder, called, toy, seeds=1):
    """A run on disk, read again."""
    path = folder / f"{called}.json"
    write_report(path, evaluate(CIRCLE, [toy], THREE, seeds=seeds))
    return read_run(path)


def aged(folder, run):
    """The run as it was written before reports told of seeds, or of what trains."""
    path = folder / f"{run.name}.json"
    document = json.loads(path.read_text())
    del document["seeds"]
    for entry in document["recipes"].values():
        del entry["trained"]
    path.write_text(json.dumps(document))
    return read_run(path)


def with_spread(run, spread):
    rows = [{**row, "spread": {"ndcg@3": spread}} for row in run.report["results"]]
    return replace(run, report={**run.report, "results": rows})


def test_seed_margin_is_where_welchs_test_turns():
    wide = seed_margin((0.03, 3, 2), (0.01, 5, 4))
    for gap, beyond in ((wide * 1.001, True), (wide * 0.999, False)):
        result = ttest_ind_from_stats(gap, 0.03, 3, 0, 0.01, 5, equal_var=False)
        assert (result.pvalue < 0.05) == beyond
    few = seed_margin((0.02, 2, 1), (0.0, 2, 1))
    assert few == pytest.approx(12.7062 * 0.02 / 2**0.5, rel=1e-5)
    alike = seed_margin((0.02, 4, 3), (0.02, 4, 3))
    assert alike == pytest.approx(t.ppf(0.975, 6) * 0.02 / 2**0.5)


def test_seed_margin_ignores_rows_without_deviation():
    some, fixed = (0.02, 3, 2), (0.0, 9, 8)
    assert seed_margin(fixed, fixed) == 0
    assert (
        seed_margin(some, (0.0, 1, 1)) == seed_margin(some, fixed) == seed_margin(fixed, some) > 0
    )
    assert seed_margin((1e-160, 3, 2), (1e-160, 3, 2)) >= 0


def test_a_difference_is_a_tie_within_the_seed_margin_only():
    gap = Difference("ndcg@3", "a", "b", Interval(0.1, 0.09, 0.11))
    rows = {"a": SeedVariance(3, {"ndcg@3": 0.05}), "b": SeedVariance(3, {"ndcg@3": 0.0})}
    (wide,) = with_seed_margin([gap], rows)
    (narrow,) = with_seed_margin([gap], {**rows, "a": SeedVariance(3, {"ndcg@3": 0.005})})
    (alone,) = with_seed_margin([gap], {"a": SeedVariance(1, {}), "b": SeedVariance(1, {})})
    assert (wide.tie, wide.by_seeds) == (True, True)
    assert (narrow.tie, narrow.by_seeds) == (False, False)
    assert wide.to_dict()["seed_margin"] == pytest.approx(t.ppf(0.975, 2) * 0.05 / 3**0.5)
    assert alone == gap
    assert "seed_margin" not in alone.to_dict()
    by_users = replace(wide, difference=Interval(0.1, -0.1, 0.3))
    assert (by_users.tie, by_users.by_seeds) == (True, False)


def test_a_row_of_one_seed_gets_the_deviation_of_the_other_row():
    gap = Difference("ndcg@3", "a", "b", Interval(0.1, 0.09, 0.11))
    many = SeedVariance(3, {"ndcg@3": 0.02})
    for lone, factor in ((True, (1 / 3 + 1) ** 0.5), (False, (1 / 3) ** 0.5)):
        for rows in (
            {"a": many, "b": SeedVariance(1, {}, lone)},
            {"a": SeedVariance(1, {}, lone), "b": many},
        ):
            margin = with_seed_margin([gap], rows)[0].seed_margin
            degrees = 2 if not lone else 2 * (1 / 3 + 1) ** 2 / (1 / 9 + 1)
            assert margin == pytest.approx(t.ppf(0.975, degrees) * 0.02 * factor)
    for unknown in (None, float("nan")):
        rows = {"a": SeedVariance(3, {"ndcg@3": unknown}), "b": SeedVariance(3, {})}
        assert with_seed_margin([gap], rows)[0].seed_margin is None


def test_evaluate_calls_a_lead_of_one_of_two_seeds_a_tie():
    for toy, tie in (("Swing", True), ("Follows", False)):
        both = [recipe("Counts", name="plain", steps=()), recipe(toy, name="other", steps=())]
        report = evaluate(CIRCLE, both, THREE, seeds=2)
        rows = [(pair.metric, pair.model, pair.against) for pair in report.paired]
        number = rows.index(("ndcg@3", "other/fused", "plain/fused"))
        gap = report.paired[number]
        assert gap.difference.low > 0  # users agree
        assert gap.tie is gap.by_seeds is tie
        (note,) = (line for line in report_notes(report) if line == gap.conclusion)
        assert ("tie within the spread of seeds" in note) is tie
        assert ("tie" in note) is tie
        written = report.to_dict()["paired"][number]
        assert written["tie"] is tie
        assert (written["seed_margin"] > gap.difference.value) is tie


def test_compare_uses_the_deviations_of_stored_runs(tmp_path):
    swings = stored_run(tmp_path, "swings", recipe("Swing", steps=()), seeds=2)
    counts = stored_run(tmp_path, "counts", recipe("Counts", steps=()), seeds=2)
    comparison = compare([swings, counts])
    first = comparison.differences[0]
    assert first.difference.low > 0
    assert first.by_seeds
    text = "\n".join(comparison_notes(comparison))
    assert "ndcg@3: tie within the spread of seeds, swings/fused and counts/fused (+0." in text
    assert "better" not in text
    written = comparison.to_dict()["differences"][0]
    assert written["tie"] is True
    assert written["seed_margin"] == first.seed_margin > first.difference.value
    close = compare([with_spread(swings, 0.001), with_spread(counts, 0.001)])
    assert close.differences[0].tie is False
    assert "swings/fused is better than counts/fused" in "\n".join(comparison_notes(close))


def test_compare_of_old_runs_ignores_seeds(tmp_path):
    toys = ("Swing", "Counts")
    runs = [aged(tmp_path, stored_run(tmp_path, toy, recipe(toy, steps=()))) for toy in toys]
    comparison = compare(runs)
    assert not comparison.differences[0].tie
    assert "seed_margin" not in comparison.to_dict()["differences"][0]
    assert not any("seed" in line for line in comparison_notes(comparison))


def test_the_page_marks_ties_within_the_spread_of_seeds(tmp_path):
    pytest.importorskip("matplotlib")
    swings = stored_run(tmp_path, "swings", recipe("Swing", steps=()), seeds=2)
    counts = stored_run(tmp_path, "counts", recipe("Counts", steps=()), seeds=2)
    text = render_page(compare([swings, counts]))
    assert "tied with counts/fused (within the spread of seeds)." in text
    assert "ahead of every other row" not in text


def test_comparison_notes_warn_once_of_a_single_seed(tmp_path):
    single = stored_run(tmp_path, "one", recipe("Swing", steps=()))
    two = stored_run(tmp_path, "two", recipe("Swing", steps=()), seeds=2)
    plain = stored_run(tmp_path, "plain", recipe("Counts", steps=()))
    assert list(comparison_notes(compare([single, plain]))).count(ONE_SEED) == 1
    assert f"one/fused: {ONE_SEED}" in list(comparison_notes(compare([single, two])))
    for silent in ([two, two], [plain, plain], [plain, two]):
        assert not any(ONE_SEED in line for line in comparison_notes(compare(silent)))
    rows = ["popular-recent", "popular-all"]
    assert not any(ONE_SEED in line for line in comparison_notes(compare([single], rows)))


def test_report_notes_warn_of_a_single_seed_of_a_trained_model():
    trains = evaluate(CIRCLE, [recipe("Swing", steps=())], THREE)
    assert list(report_notes(trains)).count(ONE_SEED) == 1
    assert trains.recipes["toy"]["trained"] == ["swing"]
    for silent in (
        evaluate(CIRCLE, [recipe("Counts", steps=())], THREE),
        evaluate(CIRCLE, [recipe("Swing", steps=())], THREE, seeds=2),
    ):
        assert not any(ONE_SEED in line for line in report_notes(silent))


def test_depends_on_seed_holds_for_trained_models_and_their_fusion():
    recipes = {"a": {"trained": ["swing"]}, "b": {"trained": []}}
    assert depends_on_seed("a/fused", recipes)
    assert depends_on_seed("a/swing", recipes)
    for row in ("a/counts", "b/fused", "b/swing", "popular-recent"):
        assert not depends_on_seed(row, recipes)
    assert depends_on_seed("fused", {"a": recipes["a"]})
    assert not depends_on_seed("fused", {"a": {}})


def test_the_compare_command_reports_ties_by_seeds(tmp_path):
    stored_run(tmp_path, "swings", recipe("Swing", steps=()), seeds=2)
    stored_run(tmp_path, "counts", recipe("Counts", steps=()), seeds=2)
    names = [str(tmp_path / f"{stem}.json") for stem in ("swings", "counts")]
    done = CliRunner().invoke(
        app, ["compare", *names, "--json", str(tmp_path / "c.json")], catch_exceptions=False
    )
    assert done.exit_code == 0
    assert "tie within the spread of seeds" in done.stdout
    (first, *_) = json.loads((tmp_path / "c.json").read_text())["differences"]
    assert "tie within the spread of seeds" in first["verdict"]


def test_a_seed_without_lists_leaves_the_deviation_of_exposure_undefined():
    """With the odd seed Swing returns no list, so that its exposure by group has no value."""
    fields = {f"i{number:02}": {"colour": ("red", "blue")[number % 2]} for number in range(30)}
    toy = recipe("Swing", steps=())
    data = world(ROWS, item_fields=fields)
    report = evaluate(data, [toy], THREE, seeds=2, group="colour")
    row = report.result("swing").to_dict()
    assert row["spread"]["exposure@3|red"] is None
    assert row["metrics"]["exposure@3|red"]["value"] == pytest.approx(0.5, abs=0.2)
