"""How often a test was looked at is on record."""

import json

import pytest

from plait.errors import StorageError
from plait.evaluation.evaluate import evaluate
from plait.evaluation.protocol import Protocol
from plait.evaluation.results.evaluation_log import recipe_hash, times_looked
from tests.dataset_fixtures import random_rows, world
from tests.evaluation.fake_stages import recipe

DATA = world(random_rows())
TOY = recipe("Counts")


def test_every_look_is_counted_by_protocol(tmp_path):
    path = tmp_path / "home" / "evaluations.jsonl"
    looks = [evaluate(DATA, [TOY], Protocol(), history=path).looked for _ in range(2)]
    assert looks == [1, 2]
    assert evaluate(DATA, [TOY], Protocol(seed=1), history=path).looked == 1
    assert evaluate(DATA, [TOY], Protocol()).looked == 0


def test_a_line_says_what_was_measured(tmp_path):
    path = tmp_path / "evaluations.jsonl"
    report = evaluate(DATA, [TOY], Protocol(), history=path)
    line = json.loads(path.read_text())
    assert line["protocol_hash"] == report.protocol.hash
    assert line["recipe_hash"] == recipe_hash(TOY)
    value = report.result("fused").metrics["recall@10"].value
    assert line["metrics"]["fused"]["recall@10"] == pytest.approx(value, abs=1e-6)


def test_several_recipes_are_one_look(tmp_path):
    path = tmp_path / "evaluations.jsonl"
    toys = [recipe("Counts", name="one"), recipe("Follows", name="two")]
    report = evaluate(DATA, toys, Protocol(), history=path)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["recipe"] for line in lines] == ["one", "two"]
    assert set(lines[1]["metrics"]) == {"fused", "follows"}
    assert times_looked(path, report.protocol.hash) == 1


def test_broken_lines_count_nothing(tmp_path):
    path = tmp_path / "evaluations.jsonl"
    path.write_text('{"run": "a", "protocol_hash": "x"}\n{"run": "b", "prot\n[]\n{}\n')
    assert times_looked(path, "x") == 1


def test_a_log_that_cannot_be_written_is_a_clear_error(tmp_path):
    with pytest.raises(StorageError, match="evaluations"):
        evaluate(DATA, [TOY], Protocol(), history=tmp_path / "evaluations.jsonl" / "no" / "..")
