"""What a report holds beside its means: lists, own metrics, weights, every k, flags."""

import io

import numpy as np
import polars as pl
import pytest
from rich.console import Console

from plait.errors import InputError, ProtocolError
from plait.evaluation.evaluate import evaluate
from plait.evaluation.protocol import Protocol
from plait.evaluation.reporting.table import print_report
from plait.pipeline.recipe import recipe_from
from tests.dataset_fixtures import random_rows, world
from tests.evaluation.fake_stages import recipe

DATA = world(random_rows(users=60, events=900))


def first_hit(items, targets):
    return float(bool(items) and items[0] in targets)


def printed(report):
    out = io.StringIO()
    print_report(report, Console(file=out, width=200))
    return out.getvalue()


def test_per_user_has_ids_lists_and_all_metrics():
    report = evaluate(DATA, [recipe("Counts", "Dice")], Protocol(k=(2, 4)))
    frame = report.per_user("dice")
    assert frame["user"].n_unique() == len(frame) == report.data["queries"]
    assert set(frame["user"]) <= set(DATA.users.ids)
    assert frame["items"].list.len().max() == 4
    for metric in ("recall@2", "ndcg@4", "novelty@4", "mrr@2"):
        if metric in frame.columns:
            mean = report.result("dice").metrics[metric].value
            assert frame[metric].mean() == pytest.approx(mean)
    hit = [
        bool(set(items) & set(targets))
        for items, targets in frame.select("items", "targets").rows()
    ]
    assert hit == (frame["hit_rate@4"] == 1).to_list()


def test_lists_follow_the_scores_and_the_seen_rule():
    report = evaluate(DATA, [recipe("Counts")], Protocol(seen="remove", k=(5,)))
    counts = np.bincount(DATA.interactions.items, minlength=DATA.n_items)
    numbers = {item: number for number, item in enumerate(DATA.catalogue.ids)}
    seen = {
        (DATA.users.id(user), DATA.catalogue.id(item))
        for user, item in zip(
            DATA.interactions.users.tolist(), DATA.interactions.items.tolist(), strict=True
        )
    }
    for user, items, targets in report.per_user().select("user", "items", "targets").rows():
        assert not any((user, item) in seen for item in set(items) - set(targets))
        assert len(items) == len(set(items))
    assert counts[numbers[report.per_user("popular-all")["items"][0][0]]] > 0


def test_per_user_under_windows_names_the_window():
    report = evaluate(DATA, [recipe("Counts")], Protocol("time", windows=2))
    assert report.per_user()["window"].n_unique() == 2


def test_an_unknown_row_and_a_report_without_lists_are_refused():
    report = evaluate(DATA, [recipe("Counts")], Protocol())
    with pytest.raises(InputError) as refused:
        report.per_user("other")
    assert refused.value.field == "model"


def test_own_metrics_have_intervals_and_stand_beside_the_others():
    toys = [recipe("Counts", name="a"), recipe("Dice", name="b")]
    report = evaluate(DATA, toys, Protocol(k=(1, 5)), metrics=[first_hit])
    for row in ("a/fused", "b/fused", "popular-all"):
        metrics = report.result(row).metrics
        assert metrics["first_hit"].low <= metrics["first_hit"].value <= metrics["first_hit"].high
    own = report.per_user("b/fused")
    assert own["first_hit"].to_list() == own["hit_rate@1"].to_list()
    assert "first_hit" in printed(report)
    assert "first_hit" in report.detail.metrics


@pytest.mark.parametrize(
    "metric", [lambda items, targets: "much", lambda items, targets: float("nan"), "ndcg"]
)
def test_a_metric_that_is_no_number_or_no_function_is_refused(metric):
    with pytest.raises(InputError) as refused:
        evaluate(DATA, [recipe("Counts")], Protocol(), metrics=[metric])
    assert refused.value.field == "metrics"


def test_a_metric_of_a_taken_name_is_refused():
    def ndcg(items, targets):
        return 0.0

    with pytest.raises(InputError) as refused:
        evaluate(DATA, [recipe("Counts")], Protocol(), metrics=[ndcg])
    assert refused.value.field == "metrics"


SMALL = {
    "name": "small",
    "models": {"popular": {}, "neighbours": {}},
    "steps": {"fuse": {}},
}


def test_learned_weights_stand_in_text_json_and_a_frame():
    data = world(random_rows(users=80, events=1500))
    report = evaluate(data, [recipe_from(SMALL)], Protocol())
    weights = report.weights()
    assert set(weights["model"]) == {"popular", "neighbours"}
    assert report.to_dict()["fusion"]["small"]["learned"] is True
    assert "weights of small" in printed(report)


def test_every_k_and_the_whole_protocol_are_printed():
    report = evaluate(DATA, [recipe("Counts", "Dice")], Protocol(k=(1, 5, 10)))
    text = printed(report)
    for k in (1, 5, 10):
        assert f"ndcg@{k}" in text
    for rule in ("k 1, 5, 10", "candidates: all items", "ties:", "history:", "not again"):
        assert rule in text


def test_sampled_candidates_are_the_target_and_unseen_items():
    protocol = Protocol(candidates="sampled:5", k=(1, 6), seen="remove")
    report = evaluate(DATA, [recipe("Counts")], protocol)
    frame = report.per_user()
    assert frame["items"].list.len().max() <= 6
    assert report.result("fused").metrics["hit_rate@6"].value == 1
    assert report.result("popular-all").metrics["hit_rate@6"].value == 1
    full = evaluate(DATA, [recipe("Counts")], Protocol(k=(1, 6), seen="remove"))
    for row in ("fused", "popular-all"):
        sampled_value = report.result(row).metrics["hit_rate@1"].value
        assert sampled_value > full.result(row).metrics["hit_rate@1"].value
    (flag,) = [flag for flag in report.flags if flag.name == "sampled-candidates"]
    assert flag.raised
    assert report.protocol.to_dict()["candidates"] == "sampled:5"
    again = evaluate(DATA, [recipe("Counts")], protocol)
    assert again.per_user().equals(frame)


def test_sampling_more_than_there_is_ranks_all_unseen_items():
    sampled = evaluate(DATA, [recipe("Counts")], Protocol(candidates="sampled:99999"))
    full = evaluate(DATA, [recipe("Counts")], Protocol())
    for metric in ("ndcg@5", "recall@10"):
        value = full.result("fused").metrics[metric].value
        assert sampled.result("fused").metrics[metric].value == pytest.approx(value)


@pytest.mark.parametrize("candidates", ["99", "sampled", "sampled:0", "sampled:-1", "some"])
def test_wrong_candidates_are_refused(candidates):
    with pytest.raises(ProtocolError) as refused:
        Protocol(candidates=candidates).check()
    assert refused.value.field == "candidates"


def test_a_report_is_drawn(tmp_path):
    report = evaluate(DATA, [recipe("Counts", "Dice")], Protocol())
    report.plot().savefig(tmp_path / "accuracy.png")
    assert (tmp_path / "accuracy.png").stat().st_size > 5000
    with pytest.raises(InputError) as refused:
        report.plot("nothing")
    assert refused.value.field == "name"


def test_a_frame_of_weights_without_fusion_is_empty():
    report = evaluate(DATA, [recipe("Counts")], Protocol())
    assert report.weights().schema["weight"] == pl.Float64
    assert len(report.weights()) == 0
