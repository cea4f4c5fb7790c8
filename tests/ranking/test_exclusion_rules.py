"""What must not be shown is neither brought nor shown, and the reason stands beside it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.data.ragged import Ragged
from plait.errors import FilterError, RecipeError
from plait.pipeline.recipe import build_stage
from plait.ranking.exclusion_rules import Pin, Rules, RulesConfig
from tests.pipeline.fake_stages import dataset
from tests.ranking.candidate_fixtures import ask, candidates, live, ragged

ALL = range(8)


def rules(**config):
    """Rules that read no stock, unless a test asks for it."""
    config = {"availability": (), **config}
    return Rules(RulesConfig(**config), name="rules")


def blocked(stage, queries):
    limited = stage.limit(queries)
    return [sorted(set(limited.blocked[row].tolist())) for row in range(len(queries))]


def why(stage, queries, *rows):
    """By item number, the reason why it is out."""
    items = stage.apply(queries, candidates(*(rows or [ALL])))
    return [
        {
            int(number): items.removal_reasons[reason]
            for number, reason in zip(
                items.item_numbers[row], items.column("removed_by")[row], strict=True
            )
            if reason >= 0
        }
        for row in range(len(queries))
    ]


def test_seen_items_come_once():
    queries = ask((1, 2), (3,))
    assert blocked(rules(), queries) == [[1, 2], [3]]
    assert why(rules(), queries, ALL, ALL) == [{1: "seen", 2: "seen"}, {3: "seen"}]
    assert blocked(rules(seen="off"), queries) == [[], []]
    assert why(rules(seen="off"), queries, ALL, ALL) == [{}, {}]


def test_cool_down_forgets_after_some_days():
    queries = ask((1, 2, 3, 4))  # one a day, the last today
    assert blocked(rules(seen="cooldown", cooldown_days=1.5), queries) == [[3, 4]]
    assert why(rules(seen="cooldown", cooldown_days=1.5), queries) == [
        {3: "cooldown", 4: "cooldown"}
    ]


def test_the_query_may_overrule_the_recipe():
    queries = ask((1,), (2,), keep_seen=np.array([True, False]))
    for seen in ("once", "off", "cooldown"):
        assert blocked(rules(seen=seen), queries) == [[], [2]]


def test_exclusions_rejections_and_anchors_are_always_out():
    queries = ask((1,), exclude=ragged([2]), rejected=ragged([3]), items=ragged([4]))
    assert blocked(rules(seen="off"), queries) == [[2, 3, 4]]
    assert why(rules(seen="off"), queries) == [{2: "excluded", 3: "hidden", 4: "anchor"}]


def test_dead_and_unknown_items_are_out():
    queries = ask(live=live(dead=[5]))
    limited = rules().limit(queries)
    assert limited.mask.tolist() == [[True] * 5 + [False] + [True] * 2]
    assert why(rules(), queries, [4, 5, 8, 100]) == [{5: "deleted", 8: "deleted", 100: "deleted"}]


def test_expressions_of_the_recipe_and_of_the_query():
    stage = rules(available="stock != 0 or stock == null", allow="price < 25", deny="id == 'i3'")
    queries = ask((), (), live=live(), filters=(None, "price < 5"))
    limited = stage.limit(queries)
    assert limited.mask.shape == (2, 8)
    assert np.nonzero(rules(available="stock").limit(ask(live=live())).mask[0])[0].tolist() == [5]
    first, second = why(stage, queries, ALL, ALL)
    assert first == {0: "unavailable", **dict.fromkeys([2, 3, 4, 6, 7], "filtered")}
    assert second == {**first, 1: "filtered"}
    for row, items in enumerate((first, second)):
        assert np.nonzero(~limited.mask[row])[0].tolist() == sorted(items)


def test_what_is_not_available_says_so():
    assert why(rules(available="stock"), ask(live=live()), [0, 5]) == [{0: "unavailable"}]


def test_equal_filters_share_one_row():
    limited = rules().limit(ask((), (), live=live(), filters=("price < 5", "price < 5")))
    assert limited.mask.shape == (1, 8)


def test_a_filter_without_a_catalogue_is_refused():
    with pytest.raises(FilterError, match="live catalogue"):
        rules().limit(ask(filters=("price < 5",)))


def test_a_callers_list_keeps_what_was_seen_but_nothing_forbidden():
    queries = ask((1, 2), candidates=ragged([1, 3, 5]), rejected=ragged([3]), live=live(dead=[5]))
    assert why(rules(), queries, [1, 3, 5]) == [{3: "hidden", 5: "deleted"}]
    strict = replace(queries, keep_seen=np.array([False]))
    assert why(rules(), strict, [1, 3, 5]) == [{1: "seen", 3: "hidden", 5: "deleted"}]


def test_expressions_are_parsed_at_build_and_checked_at_fit():
    with pytest.raises(FilterError, match="does not parse"):
        build_stage("rules", {"deny": "price <"})
    stage = build_stage("rules", {"deny": "prize > 5"})
    with pytest.raises(FilterError, match="'prize'"):
        stage.fit(dataset([[1]]))


def test_pins():
    stage = build_stage("rules", {"pins": ["i3", {"item": "i5", "place": 4}, "gone"]})
    assert stage.config.pins == ("i3", Pin("i5", 4), "gone")
    queries = ask((), (), (), live=live(), texts=(None, "red mug", None), items=ragged([], [], [1]))
    limited = stage.limit(queries)
    assert [limited.pinned[row].tolist() for row in range(3)] == [[3, 5], [], []]
    placed = stage.apply(queries, candidates([3, 4, 5], [3], [5])).column("pinned")
    assert placed.tolist() == [[0, -1, 3], [-1, -1, -1], [-1, -1, -1]]
    assert rules().limit(queries).pinned is None
    assert stage.limit(ask()).pinned is None


@pytest.mark.parametrize("pin", [{"item": "a", "plase": 1}, {"place": 1}, 3])
def test_wrong_pins_are_refused(pin):
    with pytest.raises(RecipeError, match=r"rules\.pins"):
        build_stage("rules", {"pins": [pin]})


rows = st.lists(st.lists(st.integers(-1, 9), max_size=6), min_size=1, max_size=4)


@given(rows, rows, st.booleans())
def test_members_against_sets(numbers, others, rising):
    batch = min(len(numbers), len(others))
    numbers = [
        sorted(set(row_numbers) - {-1}) if rising else row_numbers
        for row_numbers in numbers[:batch]
    ]
    matrix = Ragged.from_rows(numbers).to_padded()
    actual = Ragged.from_rows(others[:batch]).isin(matrix)
    for row in range(batch):
        expected = [number >= 0 and number in others[row] for number in matrix[row].tolist()]
        assert actual[row].tolist() == expected
