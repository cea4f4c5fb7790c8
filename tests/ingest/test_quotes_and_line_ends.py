"""Quotes that no standard knows, every line end, and headers of spreadsheets."""

import json

import pytest

from plait.ingest import read_events
from plait.ingest.byte_sources import BLOCK
from plait.ingest.line_splitter import unify_line_ends


def items_of(data, mapping=None):
    """The items as {id: title}, and how many rows were refused."""
    data = data if isinstance(data, bytes) else data.encode()
    batches = list(read_events(data, "items", mapping))
    items = {
        event.item: json.loads(event.fields or "{}").get("title")
        for batch in batches
        for event in batch.events
    }
    return items, sum(len(batch.rejects) for batch in batches)


@pytest.mark.parametrize(
    ("line", "title"),
    [
        (r'"1";"The \"Old\" Hand"', 'The "Old" Hand'),
        (r'"1";"The \"Old\"; and After"', 'The "Old"; and After'),
        (r'"1";"\"Old\""', '"Old"'),
        (r'"1";"a \"b\" C:\temp"', r'a "b" C:\temp'),
        (r'"1";"C:\temp\"', "C:\\temp\\"),
        ('"1";"The "Old" Hand"', 'The "Old" Hand'),
        ('"1";"The ""Old"" Hand"', 'The "Old" Hand'),
        ('"1"; "a; b"', "a; b"),
        ('"1" ;"a; b" ', "a; b"),
        (' "1";  "a"', "a"),
        ('1;"Heroes" of Time', '"Heroes" of Time'),
        ('1;12" Ruler', '12" Ruler'),
        ('"1";"two\nlines"', "two\nlines"),
        ('"1";"two \\"odd\\"\nlines"', 'two "odd"\nlines'),
        ('="1";"a"', "a"),
    ],
)
def test_a_quoted_value_never_keeps_its_quotes(line, title):
    items, rejected = items_of(f'"id";"title"\n"0";"x"\n{line}\n"2";"y"\n')
    assert (items, rejected) == ({"0": "x", "1": title, "2": "y"}, 0)


def test_a_line_that_no_rule_reads_is_refused():
    items, rejected = items_of('id,title\n"1","a" b","c\n2,y\n')
    assert items == {"2": "y"}
    assert rejected == 1


@pytest.mark.parametrize(
    ("line", "title"),
    [
        (r"1,a\,b", "a,b"),
        (r"1,\N", None),
        (r'1,"a\",b"', 'a",b'),
        (r"1,C:\temp", r"C:\temp"),
        (r'"1","a\\"', "a\\"),
        ('"1","a ""b"""', 'a "b"'),
        ('"1","two \\"odd\\",\nlines"', 'two "odd",\nlines'),
    ],
)
def test_an_escape_sign_that_a_mapping_declares(line, title):
    items, rejected = items_of(f"id,title\n{line}\n2,y\n", {"escape": "\\"})
    assert (items, rejected) == ({"1": title, "2": "y"}, 0)


def test_single_quotes_that_quote_the_header():
    assert items_of("'id','title'\n'1','a, b'\n'2','it''s'\n")[0] == {"1": "a, b", "2": "it's"}
    assert items_of("id,title\n1,'a'\n")[0] == {"1": "'a'"}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n"])
def test_every_line_end(end):
    text = end.join(["id,title", "1,a", "", '2,"b', 'c"', "3,d", ""])
    assert items_of(text) == ({"1": "a", "2": "b\nc", "3": "d"}, 0)
    rows = end.join(['{"id":"1","title":"a"}', '{"id":"2"}'])
    assert items_of(rows) == ({"1": "a", "2": None}, 0)
    array = end.join(["[", '{"id":"1","title":"a"}', "]"])
    assert items_of(array) == ({"1": "a"}, 0)


def test_mixed_line_ends_and_encodings():
    text = "id,title\r1,ä\n2,b\r\n3,c\r4,d"
    titles = {"1": "ä", "2": "b", "3": "c", "4": "d"}
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32"):
        assert items_of(text.encode(encoding)) == (titles, 0), encoding


def test_line_ends_over_the_end_of_a_block():
    assert b"".join(unify_line_ends([b"a\r", b"\nb\r\r", b"\n", b"c\r", b"d\r"])) == b"a\nb\nc\nd\n"
    assert b"".join(unify_line_ends([])) == b""


def test_lines_of_a_spreadsheet_before_the_header():
    assert items_of("sep=;\nid;title\n1;a, b\n")[0] == {"1": "a, b"}
    assert items_of("\ufeffsep=;\r\nid;title\r\n1;a\r\n")[0] == {"1": "a"}
    assert items_of('  \n\nid,"ti\ntle"\n1,a\n', {"items": {"fields": {"ti tle": "title"}}})[0] == {
        "1": "a"
    }


def test_an_open_quote_at_the_end_of_a_block_is_read_as_within_one():
    long = "w" * 1000
    rows = [f'{n},"{long}\n{n}"\n' for n in range(3 * BLOCK // 1000)]
    for shift in range(1, 5):
        data = f"id,title\n{'x' * shift},y\n" + "".join(rows)
        items, rejected = items_of(data)
        assert not rejected
        assert len(items) == len(rows) + 1
