"""No way for the future to reach a model."""

import numpy as np
import pytest

from plait.evaluation.evaluate import evaluate
from plait.evaluation.protocol import Protocol
from plait.evaluation.results.fingerprint import dataset_fingerprint
from plait.pipeline.recipe import Recipe
from plait.utils.timestamps import DAY
from tests.dataset_fixtures import random_rows, world
from tests.evaluation.fake_stages import recipe, witness

LOO = Protocol()
TIME = Protocol(name="time", test_days=10)
PROTOCOLS = [
    LOO,
    Protocol(seen="keep"),
    Protocol(refit=True),
    TIME,
    Protocol(name="time", test_days=10, seen="remove"),
]


def values(report):
    return {
        (row.model, name): interval.value
        for row in report.results
        for name, interval in row.metrics.items()
    }


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=str)
def test_renaming_and_renumbering_changes_no_metric(protocol):
    assert_same_after_renaming(recipe("Counts", "Follows"), protocol)


def test_renaming_changes_no_metric_of_models_without_random_choices():
    settings = {name: {} for name in ("popular", "neighbours", "linear", "ease", "repeat")}
    models = Recipe.of({"models": settings, "steps": {"fuse": {}}})
    assert_same_after_renaming(models, LOO)


def assert_same_after_renaming(evaluated, protocol):
    rows = random_rows()
    users = list(dict.fromkeys(row[0] for row in rows))
    items = list(dict.fromkeys(row[1] for row in rows))
    generator = np.random.default_rng(9)
    new_user = {
        external_id: f"x{number}"
        for external_id, number in zip(users, generator.permutation(99), strict=False)
    }
    new_item = {
        external_id: f"y{number}"
        for external_id, number in zip(items, generator.permutation(99), strict=False)
    }
    renamed = [(new_user[user], new_item[item], time) for user, item, time in rows]
    shuffled = world(
        renamed,
        users=generator.permutation([new_user[external_id] for external_id in users]).tolist(),
        items=generator.permutation([new_item[external_id] for external_id in items]).tolist(),
    )
    before = values(evaluate(world(rows), [evaluated], protocol))
    after = values(evaluate(shuffled, [evaluated], protocol))
    assert before.keys() == after.keys()
    for key, value in before.items():
        assert after[key] == pytest.approx(value, abs=1e-9, nan_ok=True), key


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=str)
def test_no_query_holds_its_target_or_anything_later(protocol):
    data = world(random_rows(events=600))
    evaluate(data, [recipe("Spy", "Counts")], protocol)
    assert witness.asked
    for queries in witness.asked:
        late = queries.history.times > queries.times[queries.history.rows]
        assert not late.any()
        state = queries.live.state
        if protocol.name == "time":
            assert (state.dataset.interactions.times <= queries.times.max()).all()


@pytest.mark.parametrize("protocol", [LOO, Protocol(refit=True)], ids=str)
def test_leave_one_out_fits_nothing_later_of_the_same_user(protocol):
    data = world(random_rows(events=600))
    evaluate(data, [recipe("Spy", "Counts")], protocol)
    for user in range(data.n_users):
        own = data.interactions.offsets[data.interactions.users == user]
        for number, fitted in enumerate(witness.fits):
            offsets = fitted.interactions.offsets[fitted.interactions.users == user]
            held = 1 if number == 1 else 2
            expected = own[: len(own) - held] if len(own) >= 3 else own
            assert offsets.tolist() == expected.tolist()


def test_leave_one_out_needs_one_fit_and_refit_two():
    data = world(random_rows())
    evaluate(data, [recipe("Spy", "Counts")], LOO)
    assert len(witness.fits) == 1
    evaluate(data, [recipe("Spy", "Counts")], Protocol(refit=True))
    assert len(witness.fits) == 3
    assert len(witness.fits[2].interactions) - len(witness.fits[1].interactions) == data.n_users


def test_time_protocol_fits_learns_and_tests_at_two_cuts():
    data = world(random_rows())
    cut = int(data.interactions.times.max()) - 10 * DAY
    evaluate(data, [recipe("Spy", "Counts")], TIME)
    first, second = witness.fits
    assert first.interactions.times.max() <= cut - 10 * DAY
    assert cut - 10 * DAY < second.interactions.times.max() <= cut
    (lesson,) = witness.taught
    assert (lesson[0].times == cut - 10 * DAY).all()
    learned = {int(number) for number in lesson[2].values}
    between = (data.interactions.times > cut - 10 * DAY) & (data.interactions.times <= cut)
    assert learned == set(data.interactions.items[between].tolist())
    assert {int(time) for queries in witness.asked for time in queries.times} == {
        cut,
        cut - 10 * DAY,
    }


def test_new_items_are_unknown_to_fits_and_reach_stages_as_updates():
    rows = random_rows()
    days = max(row[2] for row in rows)
    rows += [(f"u{number}", "new", days - 5) for number in range(5)]
    rows = sorted(rows, key=lambda row: row[2])
    data = world(rows, item_fields={"new": {"colour": "red"}})
    evaluate(data, [recipe("Spy", "Counts")], TIME)
    new = data.catalogue.number("new")
    for fitted in witness.fits:
        assert not fitted.catalogue.alive[new]
        assert fitted.catalogue.fields(new) == {}
    cut = int(data.interactions.times.max()) - 10 * DAY
    assert [new in changed for changed in witness.deltas] == [
        False,
        True,
    ]  # the lesson is too early
    for queries in witness.asked:
        alive = queries.live.state.catalogue.alive[new]
        assert alive == (queries.times == cut).all()


@pytest.mark.parametrize("name", ["time", "clicks"])
def test_the_test_window_does_not_change_fits_or_fusion(name):
    """Other targets, other misses, other items that only come then, described in other words."""
    protocol = Protocol(name=name, test_days=10, goal=("click",))

    def seen(flip):
        witness.__init__()
        evaluate(drifting(flip), [recipe("Spy", "Counts")], protocol)
        fits = [dataset_fingerprint(fitted) for fitted in witness.fits]
        lesson = [
            (queries.times.tolist(), queries.live.state.catalogue.fields(late), targets.values)
            for queries, _, targets in witness.taught
            for late in range(12)
        ]
        assert fits
        assert lesson
        return fits, str(lesson)

    assert seen(flip=False) == seen(flip=True)


def drifting(flip):
    """Two months of clicks and misses on eight items; four come in the last days, which `flip`
    turns round.
    """
    rows = []
    for number in range(480):
        day, item, kind = number / 8, number % 8, "click" if number % 5 else "skip"
        if day > 52:
            item = (number * 7 + flip) % 12
            kind = "click" if (number + flip) % 3 else "skip"
        rows.append((f"u{number % 31:02}", f"i{item:02}", day, kind))
    fields = {
        f"i{number:02}": {"colour": ("red", "blue")[number > 7 and flip]} for number in range(12)
    }
    return world(
        rows,
        users=[f"u{number:02}" for number in range(31)],
        items=[f"i{number:02}" for number in range(12)],
        item_fields=fields,
    )


def test_the_fusion_learns_from_validation_targets_under_leave_one_out():
    data = world(random_rows())
    evaluate(data, [recipe("Spy", "Counts")], Protocol(seen="keep"))
    (lesson,) = witness.taught
    queries, items, targets = lesson
    last_but_one = np.cumsum(np.bincount(data.interactions.users)) - 2
    assert sorted(targets.values.tolist()) == sorted(data.interactions.items[last_but_one].tolist())
    assert items.shape[0] == len(queries) == data.n_users
