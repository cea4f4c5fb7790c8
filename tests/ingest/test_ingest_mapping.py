"""What a mapping says, and how its mistakes are explained."""

import orjson
import pytest

from plait.errors import MappingError
from plait.ingest import load_mapping, read_events

NOW = 1_700_000_000 * 10**6


def rows_of(source, kind="events", mapping=None, **options):
    batches = list(read_events(source, kind, mapping, now=NOW, **options))
    events = [event for batch in batches for event in batch.events]
    return events, [reject for batch in batches for reject in batch.rejects]


def only(row, kind="events", mapping=None):
    events, rejects = rows_of([row], kind, mapping)
    assert not rejects
    assert len(events) == 1
    return events[0]


def test_a_mapping_from_a_file(tmp_path):
    path = tmp_path / "map.toml"
    path.write_text(
        """
        timezone = "Europe/London"
        [events]
        user = "who"
        item = "what"
        time = "when"
        kind = "how"
        kind_default = "look"
        source = "shop"
        fields = { "a b" = "ab", c = false }
        types = { ab = "number" }
        [events.kinds]
        kauf = "purchase"
        """
    )
    rows = [
        {
            "who": "u",
            "what": "i",
            "when": "2020-07-01 12:00",
            "how": "KAUF",
            "a b": 1,
            "c": 2,
            "d": 3,
        },
        {
            "who": "u",
            "what": "j",
            "when": "2020-01-01 12:00",
            "how": None,
            "a b": 1,
            "c": 2,
            "d": 3,
        },
    ]
    batch = next(read_events(rows, "events", path))
    assert [(event.event_type, event.time) for event in batch.events] == [
        ("purchase", 1593601200 * 10**6),
        ("look", 1577880000 * 10**6),
    ]
    assert batch.events[0].id.startswith("shop:")
    assert batch.events[0].fields == '{"ab":1,"d":3}'
    assert batch.types == {("interaction", "ab"): "number"}
    assert load_mapping(path)["items"].timezone == "Europe/London"


@pytest.mark.parametrize(
    ("mapping", "field", "hint"),
    [
        ({"event": {}}, "event", "the mapping may have decimal, encoding, escape, events, facts"),
        ({"events": {"users": "x"}}, "users", "user, value"),
        ({"events": {"user": 5}}, "[events] user", "expected the name of a column, or false"),
        ({"events": {"user": ""}}, "[events] user", "expected the name of a column, or false"),
        ({"events": {"user": True}}, "[events] user", "expected the name of a column, or false"),
        ({"events": {"user": "nobody"}}, "user", "columns are user, item, time"),
        ({"events": {"fields": {"nobody": "x"}}}, "fields", "columns are user, item, time"),
        ({"events": {"fields": {"item": 5}}}, "[events] fields", "expected a table of texts, or f"),
        ({"events": {"fields": {"item": True}}}, "[events] fields", "expected a table of texts, "),
        ({"events": {"flags": {"x": "item"}}}, "[events] flags", "expected a table of lists of"),
        ({"events": {"columns": "user"}}, "[events] columns", "expected a list of texts"),
        ({"events": {"columns": [1]}}, "[events] columns", "expected a list of texts"),
        ({"events": {"source": 5}}, "[events] source", "expected a text"),
        ({"items": {"most_frequent": 1}}, "[items] most_frequent", "expected true or false"),
        ({"events": {"types": {"x": "integer"}}}, "x", "a type is one of text, category"),
        ({"events": {"kinds": ["x"]}}, "[events] kinds", "write a table"),
        ({"events": 5}, "events", "write a table"),
        ({"events": {"timezone": "Mars/Olympus"}}, "timezone", "Europe/London"),
        ({"events": {"when": {"x": 5}}}, "[events] when", "expected a rule, or a list of rules"),
        ({"events": {"when": {"x": "nobody < 5"}}}, "nobody < 5", "columns are user, item, time"),
        ({"events": {"when": {"x": "item ~ 5"}}}, "item ~ 5", "operators are"),
        ({"events": {"when": {"x": "item < many"}}}, "item < many", "write a number"),
        ({"events": {"encoding": "utf-99"}}, "encoding", "utf-8"),
        ({"events": {"encoding": "base64"}}, "encoding", "utf-8"),
        ({"facts": {"alias": 5}}, "[facts] alias", "write a table"),
        ({"facts": {"alias": {"file": "x"}}}, "[facts.alias] from", "file, from and to"),
        ("nowhere.toml", "", "check the path"),
    ],
)
def test_mistakes_in_a_mapping_are_reported_by_field(mapping, field, hint):
    kind = "facts" if isinstance(mapping, dict) and "facts" in mapping else "events"
    with pytest.raises(MappingError) as caught:
        rows_of(b"user,item,time\nu,i,1300000000\n", kind, mapping)
    assert caught.value.field == field
    assert hint in caught.value.hint


def test_a_mapping_that_is_no_toml(tmp_path):
    path = tmp_path / "map.toml"
    path.write_text("[events\n")
    with pytest.raises(MappingError):
        load_mapping(path)


def test_a_role_can_be_declined():
    event = only({"user": "u", "item": "i", "time": "later"}, mapping={"events": {"time": False}})
    assert event.time is None
    assert event.fields == '{"time":"later"}'


def test_rules():
    rows = [
        {"user": "u", "item": i, "n": n, "my note": note}
        for i, n, note in [("a", 1, "x"), ("b", -1, ""), ("c", None, "see x")]
    ]

    def kinds(*rules):
        events, _ = rows_of(rows, mapping={"events": {"when": {"hit": list(rules)}}})
        return [event.event_type for event in events]

    assert kinds("n < 0") == ["view", "hit", "view"]
    assert kinds("n >= -1") == ["hit", "hit", "view"]
    assert kinds("n is empty") == ["view", "view", "hit"]
    assert kinds("my note is not empty") == ["hit", "view", "hit"]
    assert kinds("my note contains 'x'") == ["hit", "view", "hit"]
    assert kinds("my note starts with see", "item is a") == ["hit", "view", "hit"]
    assert kinds("item != a") == ["view", "hit", "hit"]
    assert kinds("my note ends with x") == ["hit", "view", "hit"]


def test_flags_splits_and_leaving_out_the_rest():
    row = {"item": "i", "Comedy": 1, "Drama": 0, "War": "1", "tags": "a, b,,c", "junk": 5}
    mapping = {
        "items": {
            "flags": {"genres": ["Comedy", "Drama", "War"]},
            "split": {"tags": ","},
            "fields": {"tags": "tags", "*": False},
        }
    }
    assert only(row, "items", mapping).fields == '{"genres":["Comedy","War"],"tags":["a","b","c"]}'


def test_two_columns_cannot_be_one_field():
    with pytest.raises(MappingError) as caught:
        only({"item": "i", "a": 1, "b": 2}, "items", {"items": {"fields": {"a": "x", "b": "x"}}})
    assert caught.value.field == "x"


# -- facts


def test_facts_with_other_ids(tmp_path):
    (tmp_path / "link.tsv").write_text("item_id:token\tentity_id:token\n476\tm.1\n5\tm.2\n")
    facts = tmp_path / "graph.kg"
    facts.write_text(
        "head_id:token\trelation_id:token\ttail_id:token\nm.1\tfilm.actor\tm.9\nm.8\tmade\tm.2\nm.1\tfilm.actor\tm.9\n"
    )
    mapping = {"facts": {"alias": {"file": "link.tsv", "from": "entity_id", "to": "item_id"}}}
    batches = list(read_events(facts, "facts", mapping))
    events = [event for batch in batches for event in batch.events]
    assert [(event.item, event.event_type, orjson.loads(event.fields)) for event in events] == [
        ("476", "film.actor", {"tail": "m.9"}),
        ("m.8", "made", {"tail": "5"}),
    ]
    assert batches[0].repeated == 1
    mapping["facts"]["alias"]["to"] = "film"
    with pytest.raises(MappingError) as caught:
        list(read_events(facts, "facts", mapping))
    assert (caught.value.field, caught.value.hint) == (
        "alias",
        "columns are item_id:token, entity_id:token",
    )
    mapping["facts"]["alias"]["file"] = "nothing.tsv"
    with pytest.raises(MappingError) as caught:
        list(read_events(facts, "facts", mapping))
    assert caught.value.field == "alias"


def test_facts_of_one_relation():
    mapping = {
        "facts": {
            "head": "userID",
            "tail": "friendID",
            "kind_default": "friend",
            "head_prefix": "user:",
            "tail_prefix": "user:",
        }
    }
    fact = only({"userID": 2, "friendID": 275}, "facts", mapping)
    assert (fact.record_type, fact.event_type, fact.item, fact.fields) == (
        "fact",
        "friend",
        "user:2",
        '{"tail":"user:275"}',
    )
