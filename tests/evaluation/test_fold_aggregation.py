"""Held-out users, several windows, several seeds, slices, and what lists do to the catalogue."""

import numpy as np
import pytest

from plait.errors import InputError, ProtocolError
from plait.evaluation.evaluate import evaluate
from plait.evaluation.protocol import Protocol
from plait.utils.timestamps import DAY
from tests.dataset_fixtures import random_rows, world
from tests.evaluation.fake_stages import recipe, witness

DATA = world(random_rows(users=80, events=1600))
HELD = Protocol(name="held-out-users", test_users=0.25, k=(5, 10))
WINDOWS = Protocol(name="time", test_days=6, windows=3, k=(5, 10), seen="keep")


def values(report):
    return {
        (row.model, name): interval.value
        for row in report.results
        for name, interval in row.metrics.items()
    }


def test_held_out_users_are_unknown_to_every_fit():
    report = evaluate(DATA, [recipe("Spy", "Follows")], HELD)
    asked = {int(number) for number in report.detail.users}
    assert len(asked) == report.data["queries"]
    for fitted in witness.fits:
        assert not asked & set(fitted.interactions.users.tolist())
    assert all((queries.users == -1).all() for queries in witness.asked)
    assert "recall@10|new-users" not in report.result("fused").metrics


def test_windows_are_consecutive_and_their_queries_are_pooled():
    report = evaluate(DATA, [recipe("Spy", "Counts")], WINDOWS)
    last = int(DATA.interactions.times.max())
    cuts = sorted({int(time) for queries in witness.asked for time in queries.times})
    assert cuts[-3:] == [last - back * 6 * DAY for back in (3, 2, 1)]
    single = [
        evaluate(
            DATA.keep(DATA.interactions.times <= last - back * 6 * DAY),
            [recipe("Counts")],
            Protocol(name="time", test_days=6, seen="keep", k=(5, 10)),
        )
        for back in (2, 1, 0)
    ]
    assert report.data["queries"] == sum(report.data["queries"] for report in single)
    names = [n for n in report.result("fused").metrics if n.startswith("recall@10|window:")]
    assert len(names) == 3
    whole = report.result("popular-all").metrics
    for name in names:
        assert whole[name].low <= whole[name].value <= whole[name].high
    sizes = [report.data["slices"][name.partition("|")[2]] for name in names]
    mean = np.average([whole[name].value for name in names], weights=sizes)
    assert whole["recall@10"].value == pytest.approx(mean)


def test_queries_of_one_user_stay_together_in_a_resample():
    habit = [
        (f"u{user}", f"i{user % 2 * 5 + day % 2}", day + user / 99)
        for user in range(40)
        for day in range(40)
    ]
    toy = [recipe("Counts")]
    single_window = evaluate(
        world(habit), toy, Protocol(name="time", test_days=5, seen="keep", k=(1,))
    )
    many = evaluate(
        world(habit), toy, Protocol(name="time", test_days=5, windows=5, seen="keep", k=(1,))
    )
    single, pooled = (each.result("fused").metrics["recall@1"] for each in (single_window, many))
    assert len(many.detail.keys) == 5 * len(single_window.detail.keys)
    assert len(set(many.detail.keys.tolist())) == len(many.detail.keys)
    # five times the queries of the same users, who always do the same, tell no more
    assert pooled.high - pooled.low == pytest.approx(single.high - single.low, rel=0.2)


@pytest.mark.parametrize("protocol", [HELD, WINDOWS], ids=lambda protocol: protocol.name)
def test_renumbering_changes_no_metric(protocol):
    rows = random_rows(users=80, events=1600)
    generator = np.random.default_rng(2)
    users = generator.permutation(list(dict.fromkeys(row[0] for row in rows))).tolist()
    items = generator.permutation(list(dict.fromkeys(row[1] for row in rows))).tolist()
    toys = [recipe("Counts", "Follows")]
    before = values(evaluate(DATA, toys, protocol))
    after = values(evaluate(world(rows, users=users, items=items), toys, protocol))
    assert before.keys() == after.keys()
    # intervals draw users by number, so only the values are the same
    for key, value in before.items():
        assert after[key] == pytest.approx(value, abs=1e-9), key


def test_seeds_are_pooled_query_by_query():
    toy = [recipe("Dice", steps=())]
    pooled = evaluate(DATA, toy, Protocol(seed=5), seeds=3)
    single = [evaluate(DATA, toy, Protocol(seed=seed)) for seed in (5, 6, 7)]
    reached = [report.result("fused").metrics["recall@10"].value for report in single]
    row = pooled.result("fused")
    assert pooled.seeds == (5, 6, 7)
    assert row.metrics["recall@10"].value == pytest.approx(np.mean(reached))
    assert np.std(reached) > 0
    for name, apart in row.spread.items():
        every = [report.result("fused").metrics[name].value for report in single]
        assert apart == pytest.approx(np.std(every, ddof=1)), name
    assert row.spread.keys() == {name for name in row.metrics if "|" not in name}
    each = np.stack([report.detail.values["fused"]["ndcg@10"] for report in single])
    assert pooled.detail.values["fused"]["ndcg@10"] == pytest.approx(each.mean(axis=0))
    assert pooled.protocol.hash == single[0].protocol.hash
    with pytest.raises(InputError) as refused:
        evaluate(DATA, toy, Protocol(), seeds=0)
    assert refused.value.field == "seeds"


def test_popularity_and_age_slices_partition_the_targets():
    rows = [("v", "late", 55.0), *random_rows(users=80, events=1600), ("u1", "late", 59.9)]
    rows.sort(key=lambda row: row[2])
    report = evaluate(world(rows), [recipe("Counts")], Protocol(seen="keep"))
    sizes = report.data["slices"]
    for prefix in ("popularity:", "age:"):
        known = sum(size for name, size in sizes.items() if name.startswith(prefix))
        assert known + sizes.get("new-items", 0) == report.data["targets"]
    assert (
        sum(size for name, size in sizes.items() if name.startswith("history:"))
        == (report.data["queries"])
    )
    metrics = report.result("fused").metrics
    assert metrics["recall@10|age:0-7d"].value == 0
    assert metrics["ndcg@10|popularity:20-99"].value > 0


def test_diversity_is_low_for_lists_of_one_colour():
    fields = {f"i{number}": {"colour": ("red", "blue")[number % 2]} for number in range(40)}
    rows = [(f"u{user}", f"i{step * 2 % 40}", step) for user in range(30) for step in range(12)]
    rows += [(f"w{user}", f"i{user % 20 * 2 + 1}", user) for user in range(20)]
    report = evaluate(
        world(rows, item_fields=fields), [recipe("Counts", "Dice")], Protocol(seen="keep")
    )
    assert report.data["diversity_by"] == "fields"
    alike, mixed = (
        report.result(name).metrics["diversity@10"].value for name in ("counts", "dice")
    )
    assert alike < 0.05 < 0.4 < mixed
    assert report.result("counts").metrics["gini@10"].value > 0.6
    lift = report.result("counts").metrics["popularity-lift@10"]
    assert lift.value == pytest.approx(0, abs=0.15)
    assert report.result("dice").metrics["popularity-lift@10"].value < -0.2


def test_exposure_by_group_adds_up_and_comes_with_shares():
    fields = {f"i{number}": {"colour": ("red", "blue", "blue")[number % 3]} for number in range(40)}
    report = evaluate(
        world(random_rows(), item_fields=fields),
        [recipe("Counts")],
        Protocol(),
        group="colour",
    )
    metrics = report.result("fused").metrics
    shares = report.data["group"]["shares"]
    assert set(shares) == {"red", "blue"}
    assert sum(metrics[f"exposure@10|{name}"].value for name in shares) == pytest.approx(1)
    assert shares["blue"]["items"] == pytest.approx(2 / 3, abs=0.05)
    with pytest.raises(ProtocolError) as refused:
        evaluate(
            world(random_rows(), item_fields=fields), [recipe("Counts")], Protocol(), group="x"
        )
    assert refused.value.field == "group"
    assert "colour" in refused.value.hint


def test_values_of_a_user_field_are_slices():
    users = {f"u{number}": {"country": ("DE", "FR")[number % 2]} for number in range(80)}
    report = evaluate(
        world(random_rows(users=80, events=1600), user_fields=users),
        [recipe("Counts")],
        Protocol(),
        group="country",
    )
    metrics = report.result("fused").metrics
    assert {"recall@10|country=DE", "recall@10|country=FR"} <= set(metrics)


def test_check_refuses_options_of_other_protocols():
    for wrong, named in (
        (Protocol(windows=2), "windows"),
        (Protocol(name="time", test_users=0.3), "test_users"),
        (Protocol(name="ratings", refit=True), "refit"),
        (Protocol(name="held-out-users", test_users=1.5), "test_users"),
        (Protocol(name="time", windows=0), "windows"),
        (Protocol(name="ratings", draw="first"), "draw"),
    ):
        with pytest.raises(ProtocolError) as refused:
            wrong.check()
        assert refused.value.field == named


def test_time_protocol_refuses_equal_times():
    data = world([(user, item, 1.0) for user, item, _ in random_rows()])
    with pytest.raises(ProtocolError) as refused:
        evaluate(data, [recipe("Counts")], Protocol(name="time"))
    assert "--protocol leave-one-out" in refused.value.hint


def test_evaluate_refuses_data_without_events():
    with pytest.raises(ProtocolError) as refused:
        evaluate(world([]), [recipe("Counts")], Protocol(name="time"))
    assert refused.value.field == "protocol"
    assert "plait ingest" in refused.value.hint
