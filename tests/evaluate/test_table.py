"""What people see."""

import io

from rich.console import Console

from plait.evaluate.protocol import Protocol
from plait.evaluate.run import evaluate
from plait.evaluate.table import notes, print_report
from tests.evaluate.toys import recipe
from tests.measure.worlds import random_rows, world


def printed(report):
    out = io.StringIO()
    print_report(report, Console(file=out))
    return out.getvalue()


def test_every_row_and_what_to_know_is_printed(tmp_path):
    data = world([*random_rows(), ("u1", "i1", 70.0)])
    report = evaluate(data, [recipe("Counts")], Protocol(), history=tmp_path / "log.jsonl")
    text = printed(report)
    for row in report.results:
        assert row.model in text
    assert report.protocol.hash in text
    assert "seen remove" in text
    assert "excluded" in text
    assert "looked at 1 time" in text
    assert "…" not in text


def test_a_difference_within_its_interval_is_called_a_tie():
    report = evaluate(world(random_rows()), [recipe("Counts", steps=())], Protocol())
    lines = [line for line in notes(report) if "fused - " in line]
    assert lines
    assert all(
        line.endswith(": a tie") == one.tie for line, one in zip(lines, report.paired, strict=True)
    )


def test_strands_without_a_list_are_named_and_left_out():
    report = evaluate(world(random_rows()), [recipe("Counts", "Nothing")], Protocol())
    text = printed(report)
    assert "left out, because they had no list for anybody: nothing" in text
    assert not any(line.startswith("nothing ") for line in text.splitlines())
    assert report.result("nothing").metrics["ndcg@10"].value == 0


def test_several_seeds_say_how_far_they_lie_apart():
    report = evaluate(world(random_rows()), [recipe("Dice")], Protocol(), seeds=2)
    assert "means over 2 seeds; standard deviation of ndcg@10 among them: fused 0." in (
        printed(report)
    )


def test_what_has_no_value_is_a_dash_with_a_reason():
    """Of each user there is one example, so nobody has an AUC."""
    rows = [
        (f"u{day}", f"i{day % 9}", float(day), "click" if day % 9 > 3 else "skip")
        for day in range(600)
    ]
    text = printed(evaluate(world(rows), [recipe("Dice")], Protocol(name="clicks", test_days=100)))
    assert "nan" not in text
    assert "\N{EN DASH} gauc: no user has both a click and a miss" in text


def test_lists_that_nobody_has_are_neither_novel_nor_alike():
    report = evaluate(world(random_rows()), [recipe("Counts", "Nothing")], Protocol(), seeds=2)
    row = report.result("nothing").to_dict()
    for name in ("novelty@10", "diversity@10", "popularity-lift@10"):
        assert row["metrics"][name]["value"] is None
    assert row["spread"]["novelty@10"] is None
    assert report.result("counts").metrics["novelty@10"].value > 0
