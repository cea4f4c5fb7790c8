"""Every shared data set imports with the mapping that the documentation shows, and without one."""

from collections import Counter
from pathlib import Path

import pytest

from plait.ingest import read_events
from plait.schema.schema import Schema
from tests.ingest import test_layouts as layouts

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data"
MAPPINGS = ROOT / "docs" / "mappings"

FILES = [
    ("online-retail", "online-retail/events.parquet", "events", 386_326),
    ("online-retail", "online-retail/items.parquet", "items", 3_659),
    ("online-retail", "online-retail/users.parquet", "users", 4_334),
    ("online-retail-raw", "online-retail/full.parquet", "events", 541_909),
    ("online-retail-raw", "online-retail/full.parquet", "items", 4_070),
    ("online-retail-raw", "online-retail/full.parquet", "users", 4_372),
    ("amazon-beauty", "amazon-beauty/interactions.parquet", "events", 198_502),
    ("amazon-beauty", "amazon-beauty/items.parquet", "items", 12_101),
    ("amazon-beauty", "amazon-beauty/facts.parquet", "facts", 1_115_312),
    ("ml-100k", "ml-100k/u.data", "events", 100_000),
    ("ml-100k", "ml-100k/u.item", "items", 1_682),
    ("ml-100k", "ml-100k/u.user", "users", 943),
    ("ml-100k", "ml-100k/ml-100k.kg", "facts", 91_631),
    ("ml-latest-small", "ml-latest-small/ratings.csv", "events", 100_836),
    ("ml-latest-small", "ml-latest-small/movies.csv", "items", 9_742),
    ("ml-latest-small", "ml-latest-small/tags.csv", "events", 3_683),
    ("movietweetings", "movietweetings/ratings.parquet", "events", 100_000),
    ("movietweetings", "movietweetings/movies.parquet", "items", 10_506),
    ("deskdrop", "deskdrop/interactions.csv", "events", 72_312),
    ("lastfm-2k", "lastfm-2k/user_artists.dat", "events", 92_834),
    ("lastfm-2k", "lastfm-2k/artists.dat", "items", 17_632),
    ("lastfm-2k", "lastfm-2k/user_friends.dat", "facts", 25_434),
    ("gift-cards", "gift-cards/Gift_Cards_5.json", "events", 2_972),
    ("gift-cards", "gift-cards/meta_Gift_Cards.json", "items", 1_547),
    ("open-bandit", "open-bandit/random/men/men.csv", "events", 10_000),
    ("open-bandit", "open-bandit/random/men/item_context.csv", "items", 34),
    ("home-depot", "home-depot/products.parquet", "items", 54_667),
    ("home-depot", "home-depot/judgements.parquet", "events", 51_686),
]
ODD_FIELDS = {"gift-cards/meta_Gift_Cards.json": {"price"}}
"""Fields that some rows are stored without: these prices are pieces of HTML."""

NEEDS_MAPPING = {"ml-100k", "lastfm-2k/user_friends.dat", "open-bandit/random/men/men.csv"}


def shared(name):
    path = SHARED / name
    if not path.is_file():
        pytest.skip(f"{path} is not there: shared data are no part of the project")
    return path


def taken(path, kind, mapping):
    """Counts of what comes out: events, kinds, types, rows that were refused, distinct ids."""
    schema, kinds, ids, refused = Schema(), Counter(), set(), []
    for batch in read_events(path, kind, mapping):
        schema, _, lost = schema.admit(batch.events)
        refused += [*batch.rejects, *lost]
        kinds.update(event.event_type for event in batch.events)
        ids.update(event.id for event in batch.events)
    return kinds, ids, {name: kind for (_, name), kind in schema.types.items()}, refused


@pytest.mark.parametrize(("mapping", "name", "kind", "count"), FILES, ids=str)
def test_with_its_mapping(mapping, name, kind, count):
    kinds, ids, _, refused = taken(shared(name), kind, MAPPINGS / f"{mapping}.toml")
    assert not refused
    assert len(ids) == kinds.total() == count


@pytest.mark.parametrize(
    ("name", "kind", "count"),
    [
        entry[1:]
        for entry in FILES
        if entry[0] not in NEEDS_MAPPING and entry[1] not in NEEDS_MAPPING and entry[3] < 300_000
    ],
    ids=str,
)
def test_without_a_mapping(name, kind, count):
    kinds, ids, _, refused = taken(shared(name), kind, None)
    assert {problem.field for problem in refused} == ODD_FIELDS.get(name, set())
    assert len(ids) == kinds.total() == count


def test_every_mapping_is_tried():
    tried = {entry[0] for entry in FILES} | set(layouts.FILES)
    assert {path.stem for path in MAPPINGS.glob("*.toml")} == tried


def test_raw_online_retail_tells_returns_and_guests():
    events = [
        event
        for batch in read_events(shared("online-retail/full.parquet"))
        for event in batch.events
    ]
    kinds = Counter(event.event_type for event in events)
    assert kinds == {"purchase": 531_285, "return": 10_624}
    guests = {event.user for event in events if event.user.startswith("session:")}
    assert sum(event.user.startswith("session:") for event in events) == 135_080
    assert len({event.user for event in events}) - len(guests) == 4_372


def test_fields_of_movielens():
    path = shared("ml-100k/u.item")
    types = taken(path, "items", MAPPINGS / "ml-100k.toml")[2]
    assert types == {"genres": "set", "release_date": "time", "title": "text"}
    batch = next(read_events(path, "items", MAPPINGS / "ml-100k.toml"))
    assert "Animation" in batch.events[0].fields
    types = taken(shared("ml-100k/u.user"), "users", MAPPINGS / "ml-100k.toml")[2]
    assert types["age"] == "number"
    assert types["zip_code"] == "category"


def test_facts_of_movielens_meet_its_items():
    path = shared("ml-100k/ml-100k.kg")
    events = [
        event
        for batch in read_events(path, "facts", MAPPINGS / "ml-100k.toml")
        for event in batch.events
    ]
    heads = {event.item for event in events if event.item.isdigit()}
    assert 1_500 < len(heads) <= 1_682


def test_kinds_of_deskdrop():
    kinds = taken(shared("deskdrop/interactions.csv"), "events", MAPPINGS / "deskdrop.toml")[0]
    assert kinds == {
        "view": 61_086,
        "like": 5_745,
        "bookmark": 2_463,
        "comment": 1_611,
        "follow": 1_407,
    }


def test_reviews_as_json_lines():
    kinds, _, types, refused = taken(shared("gift-cards/Gift_Cards_5.json"), "events", None)
    assert not refused
    assert kinds == {"rating": 2_972}
    assert types["reviewText"] == "text"
    kinds, _, types, refused = taken(shared("gift-cards/meta_Gift_Cards.json"), "items", None)
    assert {problem.field for problem in refused} == {"price"}
    assert types["price"] == "number"
    assert types["description"] == types["title"] == "text"
