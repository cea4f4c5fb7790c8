"""New fields and kinds over HTTP are bounded by request and by key; what is known is not."""

import re
import shutil

import pytest

from tests.server.fixtures import KEY, bearer, served

BOUNDS = {
    "new_fields_per_request": 3,
    "new_kinds_per_request": 2,
    "new_fields_per_day": 5,
    "new_kinds_per_day": 3,
}


def long_key(name):
    """A key that is long enough to be one."""
    return f"{name}-key-of-this-test"


@pytest.fixture(scope="module")
def shop(fitted, tmp_path_factory):
    home = shutil.copytree(fitted, tmp_path_factory.mktemp("names") / "home")
    with served(home, ingest_keys=tuple(map(long_key, "abcdef")), **BOUNDS) as client:
        yield client


def posted(shop, rows, key, path="/v1/events"):
    body = {path.rpartition("/")[2]: rows}
    answer = shop.post(path, json=body, headers=bearer(long_key(key)))
    assert answer.status_code == 200
    return answer.json()["rows"]


def event(kind="view", **fields):
    return {"kind": kind, "user": "ann", "item": "lamp-1", **({"fields": fields} if fields else {})}


def test_a_row_with_more_new_fields_than_a_request_may_bring_is_stored_without_them(shop):
    (row,) = posted(shop, [event(**{f"a{n}": n for n in range(10)})], "a")
    assert row["status"] == "stored"
    assert len(row["lost"]) == 7
    assert {lost["field"][0] for lost in row["lost"]} == {"a"}


def test_known_fields_and_kinds_are_not_counted(shop):
    posted(shop, [event(b0=1, b1=1, b2=1)], "b")
    rows = posted(shop, [event(b0=2, b1=3, b2=4, **{f"b{n}": n for n in (3, 4, 5)})], "b")
    assert [lost["field"] for lost in rows[0]["lost"]] == ["b5"]  # five a day


def test_rows_of_more_new_kinds_than_a_request_may_bring_are_rejected_alone(shop):
    rows = posted(shop, [event(f"kind-{n}") for n in range(4)] + [event("view")], "c")
    assert [row["status"] for row in rows] == ["stored"] * 2 + ["rejected"] * 2 + ["stored"]
    assert rows[2]["error"].startswith("kind: ")


def test_a_key_brings_no_more_new_kinds_in_a_day_than_it_may_and_reserved_ones_always(shop):
    rows = [posted(shop, [event(f"d-{n}")], "d")[0]["status"] for n in range(5)]
    assert rows == ["stored"] * 3 + ["rejected"] * 2
    usual = posted(shop, [event("wishlist"), event("bookmark"), event("hide")], "d")
    assert [row["status"] for row in usual] == ["stored"] * 3
    assert posted(shop, [event("d-9")], "e")[0]["status"] == "stored"  # another key


def test_items_in_bulk_lose_new_fields_beyond_the_bound(shop):
    rows = [{"id": "lamp-9", "fields": {"title": "Lamp", **{f"e{n}": n for n in range(5)}}}]
    (row,) = posted(shop, rows, "e", "/v1/items")
    assert (row["status"], len(row["lost"])) == ("stored", 2)


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_one_item_with_too_many_new_fields_is_answered_400_and_names_one(shop, method):
    fields = {f"{method}{n}": n for n in range(5)}
    answer = shop.request(method, "/v1/items/lamp-2", json=fields, headers=bearer(KEY))
    assert answer.status_code == 400
    assert answer.json()["error"]["field"].startswith(method)


def test_metrics_count_the_names(shop):
    text = shop.get("/metrics").text
    counts = dict(re.findall(r'plait_names{of="(\w+)"} (\d+)', text))
    assert int(counts["item"]) >= 3
    assert int(counts["kind"]) >= 2
