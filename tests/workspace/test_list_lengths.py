"""Lists are as long as what passes allows, and pages put together are one list."""

from collections import Counter
from itertools import chain
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import plait
from plait.pipeline.recipe import Recipe

N_ITEMS = 36
ITEMS = {
    f"i{number}": {
        "title": f"thing {number}",
        "shelf": ("lamps", "mugs", "kites", "pans", "cups")[number * number % 7 % 5],
        "price": float(number % 9),
        **({} if number % 4 == 3 else {"parent": f"p{number // 3}"}),
    }
    for number in range(N_ITEMS)
}
USERS = [f"u{number}" for number in range(12)]
PASSES = {
    None: lambda fields: True,
    "price < 3": lambda fields: fields["price"] < 3,
    'shelf == "mugs"': lambda fields: fields["shelf"] == "mugs",
    "price > 7": lambda fields: fields["price"] > 7,
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A shop in which a third of the items was chosen, and who chose what."""
    recipe = Recipe.of(
        {
            "name": "popular",
            "event_weights": {"view": 1.0, "purchase": 1.0},
            "models": {"popular": {}, "neighbours": {}},
            "steps": {"fuse": {}, "rules": {"seen": "once"}, "policy": {}, "explain": {}},
        }
    )
    seen = {
        user: {f"i{(number * 5 + step * step) % 13}" for step in range(number % 6)}
        for number, user in enumerate(USERS)
    }
    with plait.open(tmp_path_factory.mktemp("full"), impressions=False) as opened:
        opened.ingest(items=[{"item": item, **fields} for item, fields in ITEMS.items()])
        opened.post(
            [
                {"user": user, "item": item, "kind": kind, "time": 1_700_000_000 + 60 * number}
                for user, items in seen.items()
                for number, item in enumerate(sorted(items))
                for kind in ("view", "purchase")
            ]
        )
        opened.fit(recipe)
        yield SimpleNamespace(shop=opened, seen=seen)


items = st.sampled_from(sorted(ITEMS))
pins = st.lists(
    st.fixed_dictionaries({"item": items, "position": st.integers(1, 45)}),
    max_size=4,
    unique_by=(lambda pin: pin["item"], lambda pin: pin["position"]),
)
boosts = st.lists(
    st.fixed_dictionaries(
        {
            "filter": st.sampled_from([name for name in PASSES if name]),
            "factor": st.sampled_from([0.0, 0.3, 0.5, 1.5, 3.0, 50.0]),
        }
    ),
    max_size=2,
)
options = st.fixed_dictionaries(
    {
        "filter": st.sampled_from(list(PASSES)),
        "exclude": st.lists(items, max_size=4, unique=True),
        "group_by": st.sampled_from([None, "", "shelf", "parent"]),
        "pins": pins,
        "boosts": boosts,
    }
)
users = st.sampled_from([None, "stranger", *USERS])
sizes = st.sampled_from([1, 2, 5, 8, 13, 40])


def group_of(item, field):
    """The value of an item, or the item where it has none."""
    return ITEMS[item].get(field, item) if field else item


def passing(asked, gone, pinned=()):
    """What may be shown: variants of a product go together, pins come back although seen."""
    excluded = set(asked["exclude"])
    if asked["group_by"] == "parent":
        excluded, gone = (
            {item for item in ITEMS if group_of(item, "parent") in products}
            for products in (
                {group_of(item, "parent") for item in items} for items in (excluded, gone)
            )
        )
    fits = {item for item, fields in ITEMS.items() if PASSES[asked["filter"]](fields)}
    return fits - excluded - (gone - set(pinned))


def pages(shop, first, size, count=200):
    """The ids of a response and of all that continue it."""
    lists = [first.ids]
    while lists[-1] and len(lists) < count:
        lists.append(shop.next(first.request_id, size).ids)
    return list(chain.from_iterable(lists))


@given(users, options, sizes)
@settings(max_examples=60, deadline=None)
def test_recommend_is_never_shorter_than_what_passes(home, user, asked, k):
    ids = home.shop.recommend(user, k=k, **asked).ids
    allowed = passing(asked, home.seen.get(user, set()), [pin["item"] for pin in asked["pins"]])
    groups = {group_of(item, asked["group_by"]) for item in allowed}
    assert len(ids) >= min(k, len(groups))
    assert len(ids) == len(set(ids))
    assert set(ids) <= allowed


@given(users, options, st.sampled_from([2, 3, 7, 11]))
@settings(max_examples=25, deadline=None)
def test_pages_hold_everything_once_and_each_group_once(home, user, asked, size):
    ids = pages(home.shop, home.shop.recommend(user, k=size, **asked), size)
    pinned = {pin["item"] for pin in asked["pins"]}
    allowed = passing(asked, home.seen.get(user, set()), pinned)
    assert len(ids) == len(set(ids))
    assert set(ids) <= allowed
    shown = Counter(group_of(item, asked["group_by"]) for item in ids if item not in pinned)
    assert max(shown.values(), default=1) == 1
    groups = {group_of(item, asked["group_by"]) for item in allowed}
    assert {group_of(item, asked["group_by"]) for item in ids} == groups


@given(st.sampled_from([None, "stranger"]), options, st.sampled_from([3, 7, 11]))
@settings(max_examples=25, deadline=None)
def test_pages_are_the_list_that_one_response_has(home, user, asked, size):
    """Of users without a history: scores of several models are compared within a page."""
    whole = home.shop.recommend(user, k=N_ITEMS, **asked).ids
    assert pages(home.shop, home.shop.recommend(user, k=size, **asked), size) == whole


@given(items, users, sizes)
@settings(max_examples=15, deadline=None)
def test_scores_of_companions_and_others_fall(home, anchor, user, k):
    answer = home.shop.similar(anchor, user=user, k=k, event_types=["purchase"])
    scores = [item.score for item in answer.items if item.score is not None]
    assert scores == sorted(scores, reverse=True)
    assert len(answer) == min(k, len(home.shop.similar(anchor, user=user, k=N_ITEMS)))
