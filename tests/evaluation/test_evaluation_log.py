"""How often a test was looked at is on record."""

import json

import pytest

from plait.errors import StorageError
from plait.evaluation.evaluate import evaluate
from plait.evaluation.protocol import Protocol
from plait.evaluation.results.evaluation_log import count_evaluations, recipe_hash
from tests.dataset_fixtures import random_rows, world
from tests.evaluation.fake_stages import recipe

DATA = world(random_rows())
TOY = recipe("Counts")


def test_evaluations_are_counted_by_protocol(tmp_path):
    path = tmp_path / "home" / "evaluations.jsonl"
    looks = [evaluate(DATA, [TOY], Protocol(), history=path).looked for _ in range(2)]
    assert looks == [1, 2]
    assert evaluate(DATA, [TOY], Protocol(k=(3,), resamples=50), history=path).looked == 3
    assert evaluate(DATA, [TOY], Protocol(seed=1), history=path).looked == 1
    assert evaluate(DATA, [TOY], Protocol()).looked == 0


def test_a_log_line_holds_hashes_and_metrics(tmp_path):
    path = tmp_path / "evaluations.jsonl"
    report = evaluate(DATA, [TOY], Protocol(), history=path)
    line = json.loads(path.read_text())
    assert line["protocol_hash"] == report.protocol.hash
    assert line["recipe_hash"] == recipe_hash(TOY)
    value = report.result("fused").metrics["recall@10"].value
    assert line["metrics"]["fused"]["recall@10"] == pytest.approx(value, abs=1e-6)


def test_several_recipes_count_as_one_evaluation(tmp_path):
    path = tmp_path / "evaluations.jsonl"
    toys = [recipe("Counts", name="one"), recipe("Follows", name="two")]
    report = evaluate(DATA, toys, Protocol(), history=path)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["recipe"] for line in lines] == ["one", "two"]
    assert set(lines[1]["metrics"]) == {"fused", "follows"}
    assert count_evaluations(path, report.protocol) == 1


def test_malformed_log_lines_are_skipped(tmp_path):
    path = tmp_path / "evaluations.jsonl"
    protocol = Protocol()
    line = json.dumps({"run": "a", "protocol_hash": protocol.hash})
    path.write_text(line + '\n{"run": "b", "prot\n[]\n{}\n')
    assert count_evaluations(path, protocol) == 1


def test_an_unwritable_log_raises_a_storage_error(tmp_path):
    with pytest.raises(StorageError, match="evaluations"):
        evaluate(DATA, [TOY], Protocol(), history=tmp_path / "evaluations.jsonl" / "no" / "..")
