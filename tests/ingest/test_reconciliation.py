"""Catalogues that return to earlier values: the last file that was read is current."""

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import plait
from plait.data.types import Event
from plait.eventlog import EventLog
from plait.eventlog.snapshot import snapshot
from plait.ingest import read_events
from plait.ingest.importer import Importer
from plait.privacy.consent import ConsentPolicy

A = b"item,title,price\na,lamp,3\nb,mug,4\n"
B = b"item,title,price\na,lamp,5\nb,mug,4\n"
KINDS = {"items": {"kind": "kind"}}


def known(log, entity="item"):
    """The fields of all items (or users) by id."""
    data = snapshot(log)
    catalogue = data.catalogue if entity == "item" else data.users
    numbers = [number for number in range(len(catalogue)) if catalogue.alive[number]]
    return {catalogue.id(number): catalogue.fields(number) for number in numbers}


def add(log, data, kind="items", mapping=None, **options):
    consent = ConsentPolicy(**options)
    batches = read_events(data, kind, mapping, name="shop.csv", key=consent.content_key)
    return Importer(log, consent).add(batches)


def test_items_that_return_to_earlier_values_are_stored_again(log):
    assert add(log, A).stored == 2
    assert add(log, B).stored == 1
    back = add(log, A)
    assert (back.stored, back.duplicate, back.version) == (1, 1, log.version)
    assert known(log)["a"] == {"title": "lamp", "price": 3}
    for data, price in ((A, 3), (B, 5), (B, 5), (A, 3), (A, 3)):
        before, was = log.version, known(log)["a"]["price"]
        add(log, data)
        assert known(log)["a"]["price"] == price
        assert log.version == before + (was != price)


def test_users_that_return_to_earlier_values_are_stored_again(log):
    for country in ("France", "Spain", "France"):
        add(log, f"user,country\nu,{country}\nv,Italy\n".encode(), "users")
    assert known(log, "user") == {"u": {"country": "France"}, "v": {"country": "Italy"}}
    assert log.version == 4


def test_several_rows_of_one_item_change_nothing_the_second_time(log):
    data = (
        b"item,kind,x,y\na,put,1,\na,patch,,2\nb,put,1,\nb,delete,,\nc,put,1,\nc,put,2,\nc,put,1,\n"
    )
    first = add(log, data, mapping=KINDS)
    expected = known(log)
    assert expected == {"a": {"x": 1, "y": 2}, "c": {"x": 1}}
    again = add(log, data, mapping=KINDS)
    assert (again.stored, again.duplicate, again.version) == (0, 7, first.version)
    add(log, b"item,x\na,7\nb,7\nc,7\n")
    back = add(log, data, mapping=KINDS)
    assert known(log) == expected
    assert back.rows == 7
    assert add(log, data, mapping=KINDS).stored == 0


def test_a_file_that_is_read_again_replaces_what_was_written_in_between(log):
    add(log, A)
    fields = json.dumps({"title": "lantern"})
    log.append([Event("item", "api-1", "put", item="a", fields=fields)])
    log.append([Event("item", "api-2", "delete", item="b")])
    add(log, A)
    assert known(log) == {"a": {"title": "lamp", "price": 3}, "b": {"title": "mug", "price": 4}}


def test_two_imports_at_the_same_time_store_a_change_once(log):
    for data in (A, B):
        add(log, data)
    importers = [Importer(log), Importer(log)]
    batches = [list(read_events(A, "items", name="shop.csv")) for _ in importers]

    def interleaved(index):
        yield from batches[index]
        if index == 0:
            importers[1].add(interleaved(1))

    importers[0].add(interleaved(0))
    assert log.version == 4


def test_rows_with_a_time_or_an_id_are_never_stored_again(log):
    for column, first, second in (
        ("updated_at", "2024-01-01", "2024-01-02"),
        ("event_id", "e1", "e2"),
    ):
        rows = [f"item,x,{column}\nz,1,{first}\n", f"item,x,{column}\nz,2,{second}\n"]
        for data in (rows[0], rows[1], rows[0]):
            receipt = add(log, data.encode())
        assert (receipt.stored, receipt.duplicate) == (0, 1)
        assert known(log)["z"] == {"x": 2}


def test_a_duplicate_row_gives_no_withdrawn_consent_back(log):
    key = b"k" * 16
    options = {"pseudonyms": True, "key": key}
    rows = b"user,consent,city\nu,yes,Rome\nv,yes,Bern\n"
    add(log, rows, "users", **options)
    name = ConsentPolicy(**options).user_id
    taken = json.dumps({"consent": "no", "city": "Rome"})
    log.append([Event("user", "no", "put", user=name("u"), fields=taken)])
    log.append([Event("user", "moved", "put", user=name("v"), fields='{"consent":"yes"}')])
    assert add(log, rows, "users", **options).stored == 1
    assert known(log, "user")[name("u")]["consent"] == "no"
    assert known(log, "user")[name("v")] == {"consent": "yes", "city": "Bern"}


def test_a_workspace_stores_returning_values_again(tmp_path):
    with plait.open(tmp_path) as shop:
        for price in (1, 2, 1):
            shop.ingest(items=[{"item": "a", "price": price}])
        assert shop.get_item("a")["fields"] == {"price": 1}


changed = st.tuples(
    st.sampled_from("ab"),
    st.sampled_from(["put", "patch"]),
    st.sampled_from(["", "1", "2"]),
    st.sampled_from(["", "3"]),
)
deleted = st.tuples(st.sampled_from("ab"), st.just("delete"), st.just(""), st.just(""))
rows = st.lists(changed | deleted, max_size=4)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(rows, min_size=1, max_size=3))
def test_the_last_file_decides_the_catalogue(tmp_path_factory, files):
    """After any files in any order each leaves the catalogue as if its rows came as new ones."""
    with EventLog.open(tmp_path_factory.mktemp("home")) as log:
        plain: dict[str, dict[str, int] | None] = {}
        for file in [*files, *files]:
            text = "".join(f"{','.join(row)}\n" for row in file)
            add(log, f"item,kind,x,y\n{text}".encode(), mapping=KINDS)
            for item, kind, x, y in file:
                fields = {name: int(value) for name, value in (("x", x), ("y", y)) if value}
                before = plain.get(item) if kind == "patch" else None
                plain[item] = None if kind == "delete" else {**(before or {}), **fields}
            assert known(log) == {
                item: fields for item, fields in plain.items() if fields is not None
            }
            version = log.version
            add(log, f"item,kind,x,y\n{text}".encode(), mapping=KINDS)
            assert log.version == version
