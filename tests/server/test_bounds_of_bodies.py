"""What a body may hold is judged before it is parsed, and the first error ends it."""

import json
import shutil

import pytest

from plait.errors import InputError, TooLargeError
from plait.server.http.json_body import MAX_ROW_VALUES, MAX_VALUES, SMALL_BODY, parsed, rows_of_body
from plait.server.http.request_limits import MAX_BATCH_BYTES, check_batch_bytes
from plait.server.http.request_models import Rank, Recommend
from plait.workspace.query_api import batch_size
from tests.server.fixtures import KEY, LAMPS, bearer, ids, served

LINES = {"content-type": "application/x-ndjson"}


def body_of(rows):
    return json.dumps({"events": rows}).encode()


def long_rows(count=3000):
    return [{"id": f"e{n}", "fields": {"text": '"],[{' * 3}} for n in range(count)]


def refused(kind, call, *arguments):
    with pytest.raises(kind) as caught:
        call(*arguments)
    return caught.value.field


def test_rows_of_a_long_body_are_those_that_a_parser_finds():
    for rows in (long_rows(), ["x" * SMALL_BODY], [*long_rows(), []], [{}] * 40_000):
        raw = body_of(rows)
        assert len(raw) > SMALL_BODY
        assert rows_of_body(raw, "events", 100_000) == rows


@pytest.mark.parametrize("size", [0, SMALL_BODY])
@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (b'{"events":[%b,,1]}', "body"),
        (b'{"events":[%b,]}', "body"),
        (b'{"events":[%b', None),
        (b'{"events":{"a":%b}}', "events"),
        (b'{"events":%b}', "events"),
        (b'{"other":[%b],"events":[]}', None),
        (b'{"events":[%b],"other":[]}', "other"),
        (b'{"events":[%b' + b"[" * 70 + b"]" * 70 + b"]}", "body"),
    ],
)
def test_rows_of_a_wrong_body_are_refused_whatever_its_length(raw, field, size):
    value = b'"' + b"x" * size + b'"'
    value += b"," if raw.endswith(b"]" * 70 + b"]}") else b""
    error_field = refused(InputError, rows_of_body, raw % value, "events", 100)
    assert field is None or error_field == field


def test_rows_beyond_the_limit_are_refused_before_they_are_parsed():
    assert refused(TooLargeError, rows_of_body, body_of([{}] * 40_000), "events", 100) == "events"
    many = b'{"events":[[' + b"1," * MAX_ROW_VALUES + b"1]]}"
    assert refused(TooLargeError, rows_of_body, many, "events", 100) == "body"


def test_a_long_list_is_refused_by_its_length_whatever_it_holds():
    for element in ("{}", "1", '"a"', "null", "[]"):
        raw = ('{"items":[' + ",".join([element] * 5000) + "]}").encode()
        assert refused(TooLargeError, parsed, Rank, raw) == "items"
        raw = raw.replace(b"items", b"pins")
        assert refused(TooLargeError, parsed, Recommend, raw) == "pins"


def test_the_first_unknown_field_is_named_among_many():
    fields = {f"f{n}": n for n in range(5000)}
    raw = json.dumps({"k": 3, **fields}).encode()
    assert refused(InputError, parsed, Recommend, raw) == "f0"
    for name in ("boosts", "pins"):
        raw = json.dumps({name: [fields]}).encode()
        assert refused(InputError, parsed, Recommend, raw).startswith(name)
    assert refused(InputError, parsed, Recommend, json.dumps({"seen": fields}).encode()) == "seen"


def test_values_beyond_the_bound_are_refused():
    raw = b'{"context":{"a":[' + b"1," * MAX_VALUES + b"1]}}"
    assert refused(TooLargeError, parsed, Recommend, raw) == "body"


@pytest.fixture(scope="module")
def hostile(fitted, tmp_path_factory):
    """A server with narrow bounds, and a wait for versions that no test would survive."""
    home = shutil.copytree(fitted, tmp_path_factory.mktemp("bounds") / "home")
    settings = {"query_body_limit": 5000, "stale_wait_ms": 600_000, "query_budget_ms": 10_000}
    with served(home, **settings) as client:
        yield client


def error_of(answer):
    return answer.status_code, answer.json()["error"]["code"], answer.json()["error"]["field"]


def test_a_query_has_a_body_limit_of_its_own(hostile):
    long = {"user": "a", "context": {"page": "x" * 6000}}
    assert error_of(hostile.post("/v1/recommend", json=long)) == (413, "too_large", "body")
    chunks = iter([json.dumps(long).encode()])
    assert error_of(hostile.post("/v1/list", content=chunks)) == (413, "too_large", "body")
    stored = hostile.put("/v1/items/lamp-9", json={"title": "x" * 6000})
    assert stored.status_code == 200


def test_many_users_with_many_items_each_are_refused_before_they_are_answered(hostile):
    users = [str(n) for n in range(1000)]
    refused_batch = hostile.post("/v1/recommend/batch", json={"users": users[:600], "k": 100})
    assert error_of(refused_batch) == (413, "too_large", "users")
    answer = hostile.post("/v1/recommend/batch", json={"users": users[:50], "k": 1000})
    assert len(answer.json()["responses"]) == 50


def test_long_lists_for_many_users_are_computed_one_by_one():
    assert [batch_size(k) for k in (1, 10, 31, 100, 1000)] == [32, 32, 32, 10, 1]
    with pytest.raises(TooLargeError):
        check_batch_bytes(MAX_BATCH_BYTES + 1)


def test_a_long_body_of_rows_is_stored(hostile):
    rows = [
        {
            "id": f"long-{n}",
            "kind": "view",
            "user": "u",
            "item": LAMPS[0],
            "fields": {"t": "x" * 90},
        }
        for n in range(900)
    ]
    answer = hostile.post("/v1/events", json={"events": rows})
    assert [row["status"] for row in answer.json()["rows"]] == ["stored"] * 900


def test_a_row_of_many_unknown_fields_is_rejected_by_the_first(hostile):
    row = {"kind": "view", "user": "u", "item": "i", **{f"f{n}": n for n in range(3000)}}
    answer = hostile.post("/v1/events", json={"events": [row, {**row, "id": "x"}]}).json()
    assert [row["status"] for row in answer["rows"]] == ["rejected", "rejected"]
    assert all("'f0'" in row["error"] for row in answer["rows"])


def test_a_version_beyond_the_log_is_stale_at_once(hostile):
    for path, body in (
        ("/v1/recommend", {"user": "person-1"}),
        ("/v1/list", {}),
        ("/v1/recommend/batch", {"users": ["person-1"]}),
    ):
        answer = hostile.post(path, json={**body, "at_least": 10**15}).json()
        responses = answer.get("responses", [answer])
        assert all(response["degraded"] == ["stale"] for response in responses)


def test_a_version_of_another_process_is_waited_for(hostile):
    event = {"kind": "view", "user": "person-1", "item": LAMPS[3]}
    version = hostile.post("/v1/events", json={"events": [event]}).json()["version"]
    answer = hostile.post("/v1/recommend", json={"user": "person-1", "at_least": version}).json()
    assert answer["version"] >= version
    assert answer["degraded"] == []


def test_a_costly_query_is_answered_as_a_usual_one(hostile):
    usual = hostile.post("/v1/recommend", json={"user": "person-1", "k": 16})
    costly = hostile.post("/v1/recommend", json={"user": "person-1", "k": 1000})
    assert ids(costly)[: len(ids(usual))] == ids(usual)


def test_a_query_beyond_its_budget_is_refused(fitted, tmp_path):
    home = shutil.copytree(fitted, tmp_path / "home")
    with served(home, query_budget_ms=1) as client:
        words = {"text": " ".join(f"lamp{n}" for n in range(250)), "k": 1000}
        answer = client.post("/v1/search", json=words, headers=bearer(KEY))
        assert error_of(answer) == (503, "over_budget", "")
        assert client.post("/v1/recommend", json={"user": "person-1"}).status_code == 200


def test_lines_beyond_the_bound_of_values_are_refused(hostile):
    deep = b"[" * 70 + b"]" * 70
    answer = hostile.post("/v1/events", content=b'{"a":%b}\n{}' % deep, headers=LINES)
    assert [row["status"] for row in answer.json()["rows"]] == ["rejected", "rejected"]
    wide = b"[" + b"1," * MAX_ROW_VALUES + b"1]"
    answer = hostile.post("/v1/events", content=wide, headers=LINES)
    assert error_of(answer) == (413, "too_large", "body")
