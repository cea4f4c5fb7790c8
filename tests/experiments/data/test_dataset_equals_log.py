"""`Dataset.of` gives what a log gives after an import of the same sources."""

import json
import warnings
from dataclasses import fields

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import plait
from plait.errors import InputError
from plait.eventlog import EventLog
from plait.eventlog.snapshot import snapshot
from plait.ingest import read_events
from plait.ingest.importer import Importer

KINDS = ("items", "users", "events", "facts")
IDS = st.sampled_from(["a", "b", " c ", "d\x07", "", "NULL", "x" * 600, "7.0", None])
COLUMNS = {
    "user": st.one_of(IDS, st.just("anna")),
    "item": IDS,
    "kind": st.sampled_from(["view", "Purchase", "hide", "", None]),
    "time": st.sampled_from(["2020-01-01", "2021-05-05T10:00:00Z", "nonsense", "1800-01-01", None]),
    "rating": st.sampled_from([1.0, 2.5, float("nan"), float("inf"), 1e300, None]),
    "event_id": st.sampled_from(["e1", "e2", "e3", None]),
    "note": st.sampled_from(["x", "y\x00", "long" * 9, None]),
    "amount": st.sampled_from([1.0, float("inf"), None]),
}


def logged(folder, sources, mapping=None):
    with EventLog.open(folder) as log:
        importer = Importer(log)
        rejected = 0
        for kind in KINDS:
            if sources.get(kind) is not None:
                types = importer.field_types()
                batches = read_events(sources[kind], kind, mapping, types=types, merge=True)
                rejected += importer.add(batches, source=kind).rejected
        return snapshot(log), rejected


def as_plain(value):
    if isinstance(value, np.ndarray):
        return value.dtype, value.tolist() if value.dtype.kind != "f" else value.tobytes()
    if hasattr(value, "__dataclass_fields__"):
        return {part.name: as_plain(getattr(value, part.name)) for part in fields(value)}
    return value


def catalogue_of(catalogue):
    return [
        (entity, catalogue.alive[number], catalogue.fields(number))
        for number, entity in enumerate(catalogue.ids)
    ]


def assert_equal(actual, expected):
    for name in ("version", "interactions", "event_types", "triples", "clock"):
        assert as_plain(getattr(actual, name)) == as_plain(getattr(expected, name)), name
    for name in ("catalogue", "users"):
        first, second = getattr(actual, name), getattr(expected, name)
        assert catalogue_of(first) == catalogue_of(second)
        assert list(first.columns) == list(second.columns)
        assert [column.type for column in first.columns.values()] == [
            column.type for column in second.columns.values()
        ]


def tables(*names):
    """Tables of the named columns, each of which may be absent but for the first two."""
    rows = st.integers(1, 6)
    return rows.flatmap(
        lambda count: st.fixed_dictionaries(
            {name: st.lists(COLUMNS[name], min_size=count, max_size=count) for name in names[:2]},
            optional={
                name: st.lists(COLUMNS[name], min_size=count, max_size=count) for name in names[2:]
            },
        )
    )


@settings(max_examples=25)
@given(
    events=tables("user", "item", "kind", "time", "rating", "event_id", "note", "amount"),
    items=st.none() | tables("item", "note", "time", "kind"),
    users=st.none() | tables("user", "note"),
    as_rows=st.booleans(),
)
def test_any_sources_give_the_data_set_of_a_log(tmp_path_factory, events, items, users, as_rows):
    sources = {"events": events, "items": items, "users": users}
    if as_rows:
        rows = zip(*events.values(), strict=True)
        sources["events"] = [dict(zip(events, row, strict=True)) for row in rows]
    expected, rejected = logged(tmp_path_factory.mktemp("log"), sources)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            actual = plait.Dataset.of(
                sources["events"], items=sources["items"], users=sources["users"]
            )
        except InputError:
            assert rejected
            return
    assert_equal(actual, expected)
    assert bool(caught) == bool(rejected)


EVENTS = {
    "user": ["u2", "u1", "u2", "u3"],
    "item": ["a", "b", "a", "c"],
    "time": ["2020-01-02", "2020-01-01", "2020-01-02", "2020-01-03"],
    "price": [1.5, 2.5, 3.5, 4.5],
}


@pytest.mark.parametrize(
    ("sources", "mapping"),
    [
        ({"events": EVENTS}, None),
        ({"events": EVENTS | {"id": ["1", "2", "1", "3"]}}, None),
        ({"events": EVENTS, "facts": [{"head": "a", "relation": "by", "tail": "t"}]}, None),
        (
            {
                "items": [
                    {"item": "a", "price": 3, "title": "T"},
                    {"item": "a", "title": "U"},
                    {"item": "b", "price": 3},
                    {"item": "b", "price": None},
                    {"item": "c", "price": 3},
                    {"item": "c", "price": 4},
                    {"item": "c", "price": 3},
                ],
                "users": [{"user": "u1", "age": 3}, {"user": "u1", "town": "x"}],
                "events": EVENTS,
            },
            None,
        ),
        ({"events": EVENTS}, {"events": {"kinds": {"*": "buy"}, "kind_default": "buy"}}),
        ({"events": EVENTS}, {"events": {"types": {"price": "category"}}}),
        (
            {
                "items": [
                    {"item": "a", "kind": "put", "title": "A", "id": "1"},
                    {"item": "a", "kind": "patch", "price": 3, "id": "2"},
                    {"item": "b", "kind": "delete", "id": "3"},
                ],
                "events": EVENTS,
            },
            None,
        ),
    ],
    ids=["frame", "own ids", "facts", "partial rows", "kinds", "types", "changes"],
)
def test_a_source_of_each_form_gives_the_data_set_of_a_log(tmp_path, sources, mapping):
    expected, _ = logged(tmp_path, sources, mapping)
    rest = {kind: source for kind, source in sources.items() if kind != "events"}
    assert_equal(plait.Dataset.of(sources["events"], **rest, mapping=mapping), expected)


def test_files_give_the_data_set_of_a_log(tmp_path):
    frame = pl.DataFrame(EVENTS)
    paths = {"csv": tmp_path / "events.csv", "parquet": tmp_path / "events.parquet"}
    frame.write_csv(paths["csv"])
    frame.write_parquet(paths["parquet"])
    for name, path in paths.items():
        expected, _ = logged(tmp_path / name, {"events": path})
        assert_equal(plait.Dataset.of(path), expected)


@pytest.mark.parametrize("kind", ["items", "users"])
def test_a_key_that_a_json_row_lacks_leaves_its_field(tmp_path, kind):
    name = kind[:-1]
    rows = [{name: "x", "price": 3}, {name: "x", "title": "U"}]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for source in (rows, path):
        data = plait.Dataset.of([{"user": "x", "item": "x"}], **{kind: source})
        catalogue = data.catalogue if kind == "items" else data.users
        assert catalogue.fields(catalogue.number("x")) == {"price": 3.0, "title": "U"}


def test_event_types_without_a_place_are_rejected():
    count = 24_010
    events = {"user": ["u"] * count, "item": ["i"] * count, "kind": [f"k{n}" for n in range(count)]}
    with pytest.warns(UserWarning, match="10 rows of events"):
        assert len(plait.Dataset.of(events)) == 24_000
