"""Hits by product, and ids that no catalogue names."""

from dataclasses import replace

import numpy as np
import pytest

from plait.data.catalogue import Change
from plait.data.product_groups import ProductGroups
from plait.errors import ProtocolError
from plait.evaluation.evaluate import evaluate
from plait.evaluation.protocol import Protocol
from plait.evaluation.ranking.product_targets import merge_variants
from plait.evaluation.ranking.query_metrics import ItemStatistics, Scorer
from plait.splitting.splits import leave_one_out, time_split
from plait.utils.timestamps import DAY
from tests.dataset_fixtures import world
from tests.evaluation.fake_stages import recipe

GARMENTS, SIZES = 10, "SML"


def shop(users=60, described=True):
    """Everybody goes through the garments in one order, in random sizes, and pays shipping."""
    generator = np.random.default_rng(0)
    rows = []
    for user in range(users):
        for step in range(5):
            garment, size = (user + step) % GARMENTS, generator.choice(list(SIZES))
            rows.append((f"u{user}", f"g{garment}-{size}", step + user / 100))
        rows.append((f"u{user}", "POSTAGE", 6 + user / 100))
    items = [f"g{garment}-{size}" for garment in range(GARMENTS) for size in SIZES]
    fields = {item: {"parent": item.split("-")[0]} for item in items} if described else {}
    dataset = world(rows, items=[*items, "POSTAGE"], item_fields=fields)
    if described:
        dataset.catalogue.described[-1] = False
    else:
        dataset.catalogue.described[:] = False
    return dataset


def values(report, model, metric):
    return report.result(model).metrics[metric].value


def test_a_hit_on_any_size_counts_if_asked_for():
    by_item = evaluate(shop(), [recipe("Counts")], Protocol(k=(5, 10)))
    by_product = evaluate(shop(), [recipe("Counts")], Protocol(k=(5, 10), group_by="auto"))
    # There are ten garments, so ten places hold every one of them.
    for model in ("fused", "popular-all"):
        assert values(by_product, model, "recall@10") == 1
        assert values(by_item, model, "recall@10") < 0.8
    assert by_item.protocol.hash != by_product.protocol.hash
    assert by_product.to_dict()["protocol"]["group_by"] == "auto"
    assert "group_by" not in by_item.to_dict()["protocol"]


def test_the_hash_without_groups_is_that_of_older_figures():
    assert Protocol().hash == Protocol(group_by="").hash
    assert "group_by" not in Protocol().to_dict()


@pytest.mark.parametrize("group_by", ["parents", "auto"])
def test_without_such_a_field_there_are_no_products(group_by):
    with pytest.raises(ProtocolError) as caught:
        evaluate(shop(described=False), [recipe("Counts")], Protocol(group_by=group_by))
    assert caught.value.field == "group_by"
    with pytest.raises(ProtocolError):
        Protocol("ratings", group_by="parent").check()


def test_ids_without_a_catalogue_entry_are_no_targets():
    dataset = shop()
    for split in (
        leave_one_out(dataset),
        leave_one_out(dataset, "validation"),
        time_split(dataset, 3 * DAY),
    ):
        assert len(split)
        assert dataset.catalogue.number("POSTAGE") not in split.targets.values
    # Without a catalogue every id is a product.
    targets = leave_one_out(shop(described=False)).targets.values
    assert set(targets.tolist()) == {len(dataset.catalogue) - 1}
    report = evaluate(dataset, [recipe("Counts")], Protocol(k=(10,)))
    assert values(report, "popular-all", "recall@10") > 0.1
    flags = {flag.name: flag.value for flag in report.flags}
    assert flags["uncatalogued"] == pytest.approx(1 / 6)
    report = evaluate(shop(described=False), [recipe("Counts")], Protocol())
    assert "uncatalogued" not in {flag.name for flag in report.flags}


def test_a_deleted_item_is_still_a_target():
    dataset = shop()
    before = leave_one_out(dataset).targets.values
    deleted = dataset.catalogue.updated(
        [Change(int(number), "delete", {}, 10**6) for number in np.unique(before)[:3]]
    )
    assert leave_one_out(replace(dataset, catalogue=deleted)).targets.values.tolist() == (
        before.tolist()
    )


@pytest.mark.parametrize(
    ("served", "measured", "described", "is_flagged"),
    [
        ("auto", "", True, True),
        ("auto", "parent", True, False),
        ("", "", True, False),
        ("", "parent", True, True),
        ("auto", "", False, False),
    ],
)
def test_other_groups_than_the_served_ones_are_flagged(served, measured, described, is_flagged):
    steps = {"fuse": {}, "rules": {"group_by": served}, "policy": {}}
    toy = replace(recipe("Counts"), steps=steps)
    report = evaluate(shop(described=described), [toy], Protocol(group_by=measured))
    assert ("served-groups" in {flag.name for flag in report.flags}) == is_flagged


def test_targets_of_one_product_are_one():
    split = time_split(shop(), 2 * DAY)
    groups = ProductGroups.of((np.arange(GARMENTS * 3 + 1) // 3).astype(np.int32))
    merged = merge_variants(split, groups)
    for row in range(len(split)):
        items = split.targets[row]
        _, first = np.unique(items // 3, return_index=True)
        assert sorted(merged.targets[row].tolist()) == sorted(items[first].tolist())
    assert merge_variants(split, None) is split


def test_scores_decide_which_size_stands_for_a_garment():
    split = leave_one_out(shop())
    groups = ProductGroups.of((np.arange(GARMENTS * 3 + 1) // 3).astype(np.int32))
    zeros = np.zeros(GARMENTS * 3 + 1)
    scorer = Scorer(split, (1, 2), ItemStatistics(zeros, zeros), groups)
    target = int(split.targets[0][0])
    variant = target // 3 * 3 + (target + 1) % 3
    other = (target + 3) % 30
    numbers = np.array([[variant, target, other]], np.int32)
    outcomes = scorer.match_targets(0, numbers)
    for scores, expected in (
        ([3, 2, 1], [1, 1]),
        ([1, 2, 3], [0, 1]),
        ([np.nan, 2, 3], [0, 1]),
    ):
        metrics = scorer.batch_metrics(
            outcomes, np.array([scores], np.float32), np.ones((1, 3), np.bool_)
        )
        assert [float(metrics.users[f"recall@{k}"][0]) for k in (1, 2)] == expected
        assert len(metrics.shown[2].items) == 2
