"""What a query asks for beside its filters: seen items by kind, cool-downs, boosts, pins."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from plait.data.query_controls import Boost, Cooldown, SeenRule
from plait.data.types import StateView
from plait.errors import FilterError, RecipeError
from plait.pipeline.recipe import build_stage
from plait.ranking.boost_and_bury import requested_order
from plait.ranking.exclusion_rules import Rules, RulesConfig
from plait.ranking.final_order import Policy
from tests.ranking.candidate_fixtures import Standing, ask, candidates, catalogue, ragged

VIEW, PURCHASE = 0, 1


@dataclass
class StandingWithTypes(Standing):
    """A catalogue, and the names of two event types."""

    event_types: tuple[str, ...] = ("view", "purchase")


def rules(**config):
    return Rules(RulesConfig(availability=(), **config), name="rules")


def asked(items, types, **fields):
    """One user with an event a day, the newest today, each of a type."""
    queries = ask(items, live=StateView(StandingWithTypes(catalogue())))
    events = replace(queries.history, event_types=np.array(types, np.int16))
    return replace(queries, history=events, events=events, **fields)


def removed(stage, queries):
    items = stage.apply(queries, candidates(range(8)))
    return {
        int(number): items.removal_reasons[reason]
        for number, reason in zip(items.item_numbers[0], items.column("removed_by")[0], strict=True)
        if reason >= 0
    }


def test_only_what_was_bought_is_excluded():
    queries = asked((1, 2, 3), (VIEW, PURCHASE, VIEW))
    by_query = replace(queries, seen_rules=(SeenRule(("purchase",)),))
    assert removed(rules(), by_query) == {2: "seen"}
    assert removed(rules(seen="off"), by_query) == {2: "seen"}
    assert removed(rules(seen_events=("Purchase ",)), queries) == {2: "seen"}
    assert removed(rules(), queries) == dict.fromkeys([1, 2, 3], "seen")
    assert sorted(rules().limit(by_query).blocked[0].tolist()) == [2]


def test_items_of_the_request_have_no_type():
    queries = asked((1, 2), (-1, PURCHASE), seen_rules=(SeenRule(("purchase",)),))
    assert removed(rules(), queries) == {2: "seen"}
    assert removed(rules(), replace(queries, seen_rules=(SeenRule(),))) == {1: "seen", 2: "seen"}


def test_a_lamp_returns_after_a_day_and_a_mug_never():
    cooldowns = (Cooldown("category == 'lamps'", 1.5),)
    queries = asked((0, 2, 3, 4), (PURCHASE,) * 4)  # a mug, then three lamps, the last today
    expected = {0: "seen", 3: "cooldown", 4: "cooldown"}
    assert removed(rules(cooldowns=cooldowns), queries) == expected
    by_query = replace(queries, seen_rules=(SeenRule(cooldowns=cooldowns),))
    assert removed(rules(), by_query) == expected
    only_lamps = rules(seen="off", cooldowns=cooldowns)
    assert removed(only_lamps, queries) == {3: "cooldown", 4: "cooldown"}


def test_the_first_matching_cool_down_holds():
    cooldowns = (Cooldown("id == 'i3'", 9), Cooldown("category == 'lamps'", 0))
    queries = asked((2, 3), (PURCHASE,) * 2, seen_rules=(SeenRule(cooldowns=cooldowns),))
    assert removed(rules(), queries) == {3: "cooldown"}


def test_queries_of_one_batch_have_rules_of_their_own():
    queries = ask((1,), (1,), (1,), live=StateView(StandingWithTypes(catalogue())))
    queries = replace(queries, seen_rules=(None, SeenRule(), SeenRule(days=0)))
    items = rules().apply(queries, candidates([1], [1], [1]))
    assert (items.column("removed_by")[:, 0] >= 0).tolist() == [False, True, False]


def test_cool_downs_are_checked_at_build_and_at_fit():
    settings = {"cooldowns": [{"filter": "category == 'ink'", "days": 30}]}
    assert build_stage("rules", settings).config.cooldowns == (Cooldown("category == 'ink'", 30),)
    for wrong in ({"filter": "price <", "days": 1}, {"filter": "price < 2"}, {"days": 1}):
        with pytest.raises((RecipeError, FilterError)):
            build_stage("rules", {"cooldowns": [wrong]})
    queries = asked((1,), (VIEW,), seen_rules=(SeenRule(cooldowns=(Cooldown("prize > 1", 1),)),))
    with pytest.raises(FilterError) as error:
        rules().limit(queries)
    assert error.value.field == "seen.cooldown"


@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e6])
@pytest.mark.parametrize("shift", [0.0, -3.0, -1000.0])
def test_a_boost_moves_an_item_by_its_place_whatever_the_scores(scale, shift):
    score = (np.arange(40, 0, -1, dtype=np.float32) * scale + shift)[None, :]
    ties = np.arange(40)[None, :]

    def place(item, factor):
        factors = np.ones((1, 40), np.float32)
        factors[0, item - 1] = factor
        moved, places = requested_order(score, ties, factors, None, score > -np.inf)
        return np.lexsort((places[0], -moved[0])).tolist().index(item - 1) + 1

    assert [place(item, 1) for item in (1, 7, 40)] == [1, 7, 40]
    assert (place(2, 1.5), place(6, 1.5), place(25, 1.5)) == (1, 2, 7)
    assert (place(1, 0.5), place(2, 0.5)) == (6, 13)
    assert place(40, 1000) == 1
    assert place(1, 0) == 40


def test_boosted_items_keep_their_order_among_themselves():
    queries = ask(live=StateView(Standing(catalogue())), k=8)
    queries = replace(queries, boosts=((Boost("category == 'lamps'", 50),),))
    items = candidates([0, 1, 2, 3, 4], score=[[5, 4, -1, -2, np.nan]])
    ordered = Policy().apply(queries, rules().apply(queries, items))
    assert ordered.column("order").tolist() == [[3, 4, 0, 1, 2]]
    buried = replace(queries, boosts=((Boost("category == 'mugs'", 0), Boost("id == 'i2'", 2)),))
    ordered = Policy().apply(buried, rules().apply(buried, items))
    assert ordered.column("order").tolist() == [[3, 4, 0, 1, 2]]


def test_factors_of_several_boosts_multiply():
    boosts = (Boost("category == 'lamps'", 4), Boost("price > 20", 0.25))
    queries = ask(live=StateView(Standing(catalogue())))
    queries = replace(queries, boosts=(boosts,))
    items = rules().apply(queries, candidates([1, 2, 3, -1]))
    assert items.column("boost").tolist() == [[1, 1, 4, 1]]
    wrong = replace(queries, boosts=((boosts[0], Boost("prize > 1", 2)),))
    with pytest.raises(FilterError) as error:
        rules().apply(wrong, candidates([1]))
    assert error.value.field == "boosts.1.filter"


def test_pins_of_a_query_replace_those_of_the_recipe_and_beat_what_was_seen():
    stage = build_stage("rules", {"pins": ["i3"], "availability": []})
    live = StateView(Standing(catalogue(dead=[6])))
    queries = ask((5,), live=live, k=4, texts=("mug",), exclude=ragged([1]))
    queries = replace(queries, pins=(((5, 1), (1, 0), (6, 2)),))
    assert stage.limit(queries).pinned[0].tolist() == [5, 1, 6]
    items = candidates([1, 3, 4, 5, 6], score=[[9, 3, 2, 1, 8]])
    ordered = Policy().apply(queries, stage.apply(queries, items))
    # 1 is excluded and 6 deleted: a pin overrules neither.
    assert ordered.column("order").tolist() == [[-1, 0, 2, 1, -1]]


def test_companions_come_first_in_their_order():
    queries = ask(live=StateView(Standing(catalogue())), k=3)
    items = candidates([1, 2, 3, 4], score=[[9, 8, 7, 6]], companions__rank=[[-1, -1, 1, 0]])
    assert Policy().apply(queries, items).column("order").tolist() == [[2, -1, 1, 0]]
    excluded = rules().apply(replace(queries, k=1, exclude=ragged([4])), items)
    assert Policy().apply(replace(queries, k=1), excluded).column("order").tolist() == [
        [-1, -1, 0, -1]
    ]
