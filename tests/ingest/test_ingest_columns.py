"""What columns are taken for without a mapping."""

import orjson
import polars as pl
import pytest

from plait.errors import InputError, MappingError
from plait.ingest import read_events

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


USERS = [
    "user_id",
    "userId",
    "UserId",
    "USER_ID",
    "user",
    "CustomerID",
    "customer_id",
    "visitorId",
    "reviewerID",
    "user_id:token",
]
ITEMS = [
    "item_id",
    "itemId",
    "ItemId",
    "ITEM_ID",
    "item",
    "product_id",
    "product_uid",
    "movieId",
    "movie",
    "asin",
    "StockCode",
    "artistID",
]
TIMES = [
    "timestamp",
    "TIMESTAMP",
    "time",
    "ts",
    "InvoiceDate",
    "occurred_at",
    "Timestamp",
    "unixReviewTime",
    "date",
]


@pytest.mark.parametrize("name", USERS)
def test_names_of_users(name):
    assert only({name: "u", "item": "i"}).user == "u"


@pytest.mark.parametrize("name", ITEMS)
def test_names_of_items(name):
    assert only({"user": "u", name: "i"}).item == "i"
    assert only({name: "i", "title": "t"}, "items").item == "i"


@pytest.mark.parametrize("name", TIMES)
def test_names_of_times(name):
    assert only({"user": "u", "item": "i", name: 1_300_000_000}).time == 1_300_000_000 * 10**6


@pytest.mark.parametrize(
    "name",
    ["event_type", "eventType", "EVENT_TYPE", "FeedbackType", "event", "kind", "action", "type"],
)
def test_names_of_kinds(name):
    assert only({"user": "u", "item": "i", name: " VIEW "}).event_type == "view"


def test_exports_of_others():
    gorse = {
        "FeedbackType": "star",
        "UserId": "bob",
        "ItemId": "x",
        "Value": 1.0,
        "Timestamp": "2022-02-24",
    }
    assert only(gorse)[2:9] == ("star", "bob", "x", 1645660800000000, None, 1.0, None)
    personalize = {
        "USER_ID": "u",
        "ITEM_ID": "i",
        "TIMESTAMP": 1600000000,
        "EVENT_TYPE": "Click",
        "EVENT_VALUE": 2,
    }
    assert only(personalize)[2:9] == ("click", "u", "i", 1600000000 * 10**6, None, 2.0, None)
    recombee = {
        "userId": "u",
        "itemId": "i",
        "timestamp": "2020-09-13T12:26:40Z",
        "recommId": "r1",
        "duration": 5,
    }
    assert only(recombee)[5:10] == (1600000000 * 10**6, None, None, "r1", '{"duration":5}')
    own = {
        "id": "e1",
        "kind": "click",
        "user": "u",
        "item": "i",
        "time": 1.5e9,
        "value": 1,
        "request_id": "r",
        "fields": {"place": "top"},
    }
    assert only(own) == (
        "interaction",
        "e1",
        "click",
        "u",
        "i",
        1500000000 * 10**6,
        None,
        1.0,
        "r",
        '{"place":"top"}',
    )


def test_kinds_by_default():
    base = {"user": "u", "item": "i"}
    assert only(base).event_type == "view"
    assert only({**base, "rating": 3}).event_type == "rating"
    assert only({**base, "InvoiceNo": 5}).event_type == "purchase"
    assert only({**base, "tag": "funny"}).event_type == "tag"
    assert only({**base, "rating": 3, "event_type": "review"}).event_type == "review"
    assert only({**base, "event_type": None}).event_type == "view"


def test_a_search_without_a_user_is_a_session():
    event = only({"search_term": "deck over", "product_uid": 7, "relevance": 2.5})
    assert (event.user, event.item, event.event_type) == ("session:deck over", "7", "judgement")
    assert event.fields == '{"relevance":2.5,"search_term":"deck over"}'


def test_titles():
    assert only({"item": "i", "Description": "x"}, "items").fields == '{"title":"x"}'
    assert (
        only({"id": "i", "name": "x", "description": "y"}, "items").fields
        == '{"description":"y","title":"x"}'
    )
    assert (
        only({"movieId": 1, "title": "x", "name": "y"}, "items").fields
        == '{"name":"y","title":"x"}'
    )


def test_equally_good_columns_are_refused():
    with pytest.raises(MappingError) as caught:
        rows_of([{"user_id": 1, "userId": 2, "item": 3}])
    assert caught.value.field == "user"
    assert caught.value.hint.endswith('[events] user = "user_id"')
    assert only({"user_id": 1, "customer_id": 2, "item": 3}).user == "1"


def test_a_missing_column_is_named():
    with pytest.raises(MappingError) as caught:
        rows_of([{"user": 1, "thing": 2}])
    assert caught.value.field == "item"
    assert "user, thing" in caught.value.hint
    with pytest.raises(MappingError) as caught:
        rows_of(b"196\t242\t3\t881250949\n186\t302\t3\t891717742\n")
    assert "columns = [...]" in caught.value.hint


def test_a_column_twice_is_refused():
    with pytest.raises(MappingError) as caught:
        rows_of(b"user,item,item\nu,i,j\n")
    assert caught.value.field == "item"


def test_columns_without_a_name_are_left_out():
    assert rows_of(b",user,item\n0,u,i\n")[0][0].fields is None


def test_returns_of_invoices():
    rows = [
        {"InvoiceNo": "536365", "StockCode": "a", "Quantity": 2, "CustomerID": 1.0},
        {"InvoiceNo": "C536366", "StockCode": "a", "Quantity": -2, "CustomerID": 1.0},
        {"InvoiceNo": "536367", "StockCode": "b", "Quantity": -1, "CustomerID": None},
        {"InvoiceNo": None, "StockCode": "b", "Quantity": 1, "CustomerID": None},
    ]
    events, rejects = rows_of(rows)
    assert [(event.event_type, event.user) for event in events] == [
        ("purchase", "1"),
        ("return", "1"),
        ("return", "session:536367"),
    ]
    assert [(reject.row, reject.field) for reject in rejects] == [(4, "CustomerID")]


def test_items_and_users_from_a_file_of_events():
    rows = [
        {
            "CustomerID": user,
            "StockCode": item,
            "InvoiceDate": "2011-01-01",
            "Description": title,
            "Country": land,
        }
        for user, item, title, land in [
            (1, "a", "mug", "UK"),
            (1, "a", "MUG", "UK"),
            (2, "a", "MUG", "France"),
            (None, "b", None, "UK"),
            (2, "b", "lamp", "France"),
        ]
    ]
    items, rejects = rows_of(rows, "items")
    assert not rejects
    assert [(item.item, item.fields) for item in items] == [
        ("a", '{"title":"MUG"}'),
        ("b", '{"title":"lamp"}'),
    ]
    users, rejects = rows_of(rows, "users")
    assert not rejects
    assert [(user.user, user.fields) for user in users] == [
        ("1", '{"Country":"UK"}'),
        ("2", '{"Country":"France"}'),
    ]


def test_kinds_of_rows_are_known():
    with pytest.raises(InputError) as caught:
        read_events([], "things")
    assert caught.value.hint == "one of events, items, users, facts"


@pytest.mark.parametrize("count", [3, 60_000])
def test_two_columns_for_one_role_are_refused_wherever_the_second_begins(count):
    rows = [{"user": "u", "item": "i"}] * count
    with pytest.raises(MappingError) as caught:
        rows_of([*rows, {"user": "u", "item": "j", "userId": "v"}])
    assert caught.value.field == "user"
    events, rejects = rows_of([*rows, {"user": "u", "item": "j", "rating": 4}])
    assert not rejects
    assert events[-1].value == 4


def test_columns_of_every_type():
    frame = pl.DataFrame(
        {
            "item": ["a"],
            "when": pl.Series(["2020-01-01T00:00:00"]).str.to_datetime(time_unit="ms"),
            "there": [{"lat": 51.5, "lon": -0.1}],
            "size": [{"w": 1, "h": None}],
            "tags": [["x", "y"]],
            "price": pl.Series([7.65], dtype=pl.Float32),
            "cost": pl.Series(["1.10"]).cast(pl.Decimal(10, 2)),
            "shade": pl.Series(["red"]).cast(pl.Categorical),
            "picture": [b"\x89PNG"],
            "new": [True],
        }
    )
    event = only_frame(frame)
    assert orjson.loads(event.fields) == {
        "when": "2020-01-01T00:00:00",
        "there": {"lat": 51.5, "lon": -0.1},
        "size.w": 1,
        "tags": ["x", "y"],
        "price": 7.65,
        "cost": 1.1,
        "shade": "red",
        "new": True,
    }


def only_frame(frame):
    events, rejects = rows_of(frame, "items")
    assert not rejects
    return events[0]
