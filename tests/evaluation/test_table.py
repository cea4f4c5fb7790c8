"""What people see."""

import io

from rich.console import Console

from plait.evaluation.evaluate import evaluate
from plait.evaluation.protocol import Protocol
from plait.evaluation.reporting.report_notes import report_notes
from plait.evaluation.reporting.table import print_report
from tests.dataset_fixtures import random_rows, world
from tests.evaluation.fake_stages import recipe


def printed(report):
    out = io.StringIO()
    print_report(report, Console(file=out))
    return out.getvalue()


def test_print_report_shows_rows_hash_options_and_exclusions(tmp_path):
    data = world([*random_rows(), ("u1", "i1", 70.0)])
    report = evaluate(data, [recipe("Counts")], Protocol(), history=tmp_path / "log.jsonl")
    text = printed(report)
    for row in report.results:
        assert row.model in text
    assert report.protocol.hash in text
    assert "seen remove" in text
    assert "excluded" in text
    assert "evaluated 1 time" in text
    assert "…" not in text


def test_report_notes_call_undecided_differences_ties():
    report = evaluate(world(random_rows()), [recipe("Counts", steps=())], Protocol())
    lines = list(report_notes(report))
    assert report.paired
    for difference in report.paired:
        assert difference.conclusion in lines
        assert (": tie, " in difference.conclusion) == difference.tie


def test_models_without_lists_are_named_and_left_out():
    report = evaluate(world(random_rows()), [recipe("Counts", "Nothing")], Protocol())
    text = printed(report)
    assert "left out, because they returned no list for any query: nothing" in text
    assert not any(line.startswith("nothing ") for line in text.splitlines())
    assert report.result("nothing").metrics["ndcg@10"].value == 0


def test_report_notes_state_the_deviation_between_seeds():
    report = evaluate(
        world(random_rows()), [recipe("Dice", "Counts", "Nothing")], Protocol(), seeds=2
    )
    (line,) = (line for line in report_notes(report) if line.startswith("means over 2 seeds; "))
    head, _, values = line.partition(": ")
    assert head.endswith("standard deviation of ndcg@10 among them")
    *apart, rest = values.split(", ")
    assert rest == "the others 0.0000"
    assert {value.split()[0] for value in apart} == {"fused", "dice"}
    assert "0.0000" not in "".join(apart)


def test_report_notes_shorten_a_deviation_of_zero_in_every_row():
    report = evaluate(world(random_rows()), [recipe("Counts")], Protocol(), seeds=2)
    assert any(line.endswith("among them: 0.0000 in every row") for line in report_notes(report))


def lone(users=1):
    """Everybody takes three things, and `users` of them a last one that is easily foreseen."""
    rows = [(f"w{user}", "last", float(user)) for user in range(9)]
    return world(
        rows
        + [
            (f"u{user}", item, 20.0 + day)
            for user in range(users)
            for day, item in enumerate(("a", "b", "c", "last"))
        ]
    )


def test_a_single_query_has_no_interval_and_its_differences_are_unknown():
    report = evaluate(lone(), [recipe("Counts", steps=())], Protocol())
    assert report.data["queries"] == 1
    fused = report.to_dict()["results"][0]["metrics"]["ndcg@10"]
    assert (fused["low"], fused["high"]) == (None, None)
    assert all(
        difference.tie and difference.unknown and difference.users == 1
        for difference in report.paired
    )
    (first, *_) = report.to_dict()["paired"]
    assert (first["low"], first["tie"], first["users"]) == (None, True, 1)
    text = printed(report)
    assert "nan" not in text
    assert "no interval of recall@10, ndcg@10, " in text
    assert "; one user is not enough)" in text
    assert "1 test query is few: it has no interval" in text


def test_a_group_of_items_shows_its_exposure():
    fields = {f"i{number}": {"colour": "red" if number % 3 else "blue"} for number in range(40)}
    data = world(random_rows(), item_fields=fields)
    report = evaluate(data, [recipe("Counts", "Follows")], Protocol(), group="colour")
    lines = printed(report).splitlines()
    (start,) = (place for place, line in enumerate(lines) if line.startswith("exposure@10 by "))
    assert lines[start].split()[:6] == ["exposure@10", "by", "colour", "items", "events", "fused"]
    assert "follows" not in lines[start]
    cells = {line.split()[0]: line.split()[1:] for line in lines[start + 1 : start + 3]}
    for value, shares in report.data["group"]["shares"].items():
        shown = report.result("fused").metrics[f"exposure@10|{value}"].value
        expected = [f"{share:.3f}" for share in (shares["items"], shares["events"], shown)]
        assert cells[value][:3] == expected


def test_a_group_of_users_shows_how_good_lists_are_for_each():
    fields = {f"u{number}": {"town": "AB"[number % 2]} for number in range(40)}
    data = world(random_rows(), user_fields=fields)
    report = evaluate(data, [recipe("Counts")], Protocol(), group="town")
    lines = printed(report).splitlines()
    (start,) = (place for place, line in enumerate(lines) if line.startswith("ndcg@10 by town"))
    for value, line in zip("AB", sorted(lines[start + 1 : start + 3]), strict=True):
        shown = report.result("fused").metrics[f"ndcg@10|town={value}"].value
        assert line.split()[:3] == [
            value,
            str(report.data["slices"][f"town={value}"]),
            f"{shown:.4f}",
        ]
    plain = printed(evaluate(data, [recipe("Counts")], Protocol()))
    assert " by town" not in plain


def test_an_undefined_metric_is_a_dash_with_a_reason():
    """Each user has one example, so the AUC of every user is undefined."""
    rows = [
        (f"u{day}", f"i{day % 9}", float(day), "click" if day % 9 > 3 else "skip")
        for day in range(600)
    ]
    text = printed(evaluate(world(rows), [recipe("Dice")], Protocol(name="clicks", test_days=100)))
    assert "nan" not in text
    assert "\N{EN DASH} gauc: no user has both a click and a miss" in text


def test_metrics_of_missing_lists_are_undefined():
    report = evaluate(world(random_rows()), [recipe("Counts", "Nothing")], Protocol(), seeds=2)
    row = report.result("nothing").to_dict()
    for name in ("novelty@10", "diversity@10", "popularity-lift@10"):
        assert row["metrics"][name]["value"] is None
    assert row["spread"]["novelty@10"] is None
    assert report.result("counts").metrics["novelty@10"].value > 0
