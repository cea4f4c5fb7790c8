"""Files that are nearly a table: titles above the header, whole lines in quotes, other formats."""

import codecs
import gzip
import json
import re
import zipfile
from io import BytesIO

import pytest

import plait
from plait.errors import InputError, MappingError
from plait.ingest import read_events
from plait.ingest.header_lines import count_title_lines


def items_of(data, mapping=None, kind="items"):
    """The items as {id: fields}, how many rows were refused, and the codes of the notes."""
    data = data if isinstance(data, bytes) else data.encode()
    batches = list(read_events(data, kind, mapping))
    items = {event.item: json.loads(event.fields or "{}") for b in batches for event in b.events}
    codes = {note.code for batch in batches for note in batch.notes}
    return items, sum(len(batch.rejects) for batch in batches), codes


LAMP, VASE = {"title": "Lamp", "price": 9}, {"title": "Vase, red", "price": 8}
TABLE = 'id,title,price\n01,Lamp,9\n02,"Vase, red",8\n'
ITEMS = {"01": LAMP, "02": VASE}


def as_numbers(items):
    return {item: {**row, "price": float(row["price"])} for item, row in items.items()}


# -- before and around the table


@pytest.mark.parametrize(
    "before",
    [
        "Products of 2026\n",
        "Products of 2026,,\n\n\n",
        "# exported at 2026-01-02\n# by the shop\n",
        "Lamps, vases and more: a report\n,,\n",
        "sep=,\nProducts,,\n",
    ],
)
def test_lines_of_a_title_are_left_out_and_told(before):
    items, rejected, codes = items_of(before + TABLE)
    assert (as_numbers(items), rejected) == (ITEMS, 0)
    assert codes == {"title-lines"}


@pytest.mark.parametrize(
    "data",
    [
        TABLE,
        "id\nLamp A\nVase, red\nDesk, blue\n",
        "Name\nLamp\nPot\nVase, red\nDesk, blue\n",
        "id,,\nLamp,red,9\nVase,blue,8\n",
        ",user,item\nx,u1,i1\ny,u2,i2\n",
        "sku,title\n",
        "",
    ],
)
def test_a_first_line_that_may_be_the_header_is_the_header(data):
    assert count_title_lines(data.split("\n")[:-1] or [""], [",", ";"], '"') == 0


def test_many_lines_of_a_title_above_few_rows():
    before = "Products\nof 2026\nby the shop\nfor all\n\n"
    assert items_of(f"{before}id,title\n1,Lamp\n")[0] == {"1": {"title": "Lamp"}}


def test_each_line_in_quotes():
    lines = ['"' + line.replace('"', '""') + '"' for line in TABLE.splitlines()]
    items, rejected, codes = items_of("\n".join(lines))
    assert (as_numbers(items), rejected, codes) == (ITEMS, 0, {"quoted-lines"})
    assert items_of('"id"\n"a, b"\n')[0] == {"a, b": {}}


def test_a_separator_behind_each_row():
    items, rejected, _ = items_of("id,title,price\n01,Lamp,9,\n02,Vase,8,\n")
    assert (list(items), rejected) == (["01", "02"], 0)
    items, rejected, _ = items_of("id,title,price\n01,Lamp,9,\n02,Vase,8\n")
    assert (list(items), rejected) == (["02"], 1)


def test_byte_order_marks_within_a_file():
    marked = codecs.BOM_UTF8 + TABLE.encode()
    items, rejected, codes = items_of(marked + marked.replace(b"01", b"03"))
    assert (sorted(items), rejected, codes) == (["01", "02", "03"], 0, {"repeated-header"})
    assert items_of(b'id,title\n1,a\n\xef\xbb\xbf"2","b"\n')[0]["2"] == {"title": "b"}
    assert list(items_of(b'{"id":"1"}\n\xef\xbb\xbf{"id":"2"}\n')[0]) == ["1", "2"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark(encoding):
    assert as_numbers(items_of(TABLE.replace("Lamp", "Lämp €").encode(encoding))[0]) == {
        **ITEMS,
        "01": {**LAMP, "title": "Lämp €"},
    }


def test_typographic_quotes_are_refused():
    with pytest.raises(MappingError):
        items_of("“id”,“title”\n“1”,“Lamp”\n")


def test_a_header_alone_must_name_the_item():
    assert items_of("id,title\n") == ({}, 0, set())
    with pytest.raises(MappingError) as caught:
        items_of("INSERT INTO products (sku) VALUES (1);\n")
    assert caught.value.field == "item"


# -- other formats


def zip_of(name):
    data = BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr(name, TABLE)
    return data.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        zip_of("items.csv"),
        zip_of("[Content_Types].xml"),
        gzip.compress(zip_of("items.csv")),
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500),
        b"%PDF-1.7\n",
        b"<?xml version='1.0'?>\n<products/>\n",
        b"\xef\xbb\xbf\n <!DOCTYPE html>\n<html></html>",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
        b"items.csv".ljust(257, b"\0") + b"ustar\x0000" + bytes(300),
    ],
)
def test_other_formats_are_named(data):
    with pytest.raises(InputError) as caught:
        items_of(data)
    assert caught.value.hint


# -- JSON


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("path", ["products", "data.products"])
def test_rows_in_a_list_of_one_object(path, indent):
    rows = [{"id": item, **fields} for item, fields in ITEMS.items()]
    answer = {"products": rows, "page": 1, "links": {"next": None}}
    answer = {"data": answer} if "." in path else answer
    items, rejected, codes = items_of(json.dumps(answer, indent=indent))
    assert (items, rejected, codes) == (ITEMS, 0, {"inner-list"})


def test_objects_that_run_over_lines_or_stand_in_one():
    rows = [{"id": item, **fields} for item, fields in ITEMS.items()]
    for text in (
        "\n".join(json.dumps(row, indent=1) for row in rows),
        "".join(map(json.dumps, rows)),
        ",\n".join(map(json.dumps, rows)),
    ):
        assert items_of(text) == (ITEMS, 0, set())


def test_an_item_with_a_list_of_objects_is_one_row():
    item = {"id": "1", "variants": [{"sku": "a"}, {"sku": "b"}]}
    for text in (json.dumps(item), json.dumps(item, indent=2)):
        assert items_of(text)[0] == {"1": {"variants.sku": ["a", "b"]}}


def test_a_mapping_that_explodes_a_list_still_does():
    text = '{"products":[{"id":"1"},{"id":"2"}],"page":1}'
    mapping = {"items": {"explode": "products", "item": "products.id"}}
    assert items_of(text, mapping)[0] == {"1": {"page": 1}, "2": {"page": 1}}
    text = '{"orders":[{"lines":[{"sku":"1"},{"sku":"2"}]},{"lines":[{"sku":"3"}]}],"page":1}'
    mapping = {"items": {"explode": "lines", "item": "lines.sku"}}
    for written in (text, json.dumps(json.loads(text), indent=2)):
        assert list(items_of(written, mapping)[0]) == ["1", "2", "3"]


def test_an_object_with_a_column_of_the_mapping_is_a_row():
    text = '{"TNr":"7","masse":[{"a":1}]}'
    assert list(items_of(text, {"items": {"item": "TNr"}})[0]) == ["7"]
    assert list(items_of(text, {"items": {"item": "a"}})[0]) == ["1"]


def test_rows_in_shells_of_one_key():
    edges = [{"node": {"id": item, **fields}} for item, fields in ITEMS.items()]
    assert items_of(json.dumps({"data": {"products": {"edges": edges}}}))[0] == ITEMS


def test_lines_of_json_of_which_the_first_is_broken():
    assert items_of('{"id":"1",\n{"id":"2"}\n{"id":"3"}\n') == ({"2": {}, "3": {}}, 1, set())
    assert items_of('{\n"id":"1",\n') == ({}, 2, set())


# -- parts of objects that are gone


@pytest.mark.parametrize("gone", [{"variants": [], "style": None}, {"variants": None, "style": ""}])
def test_an_object_that_is_empty_clears_its_parts(gone, tmp_path):
    with plait.open(tmp_path) as shop:
        shop.ingest(items=[{"id": "1", "variants": [{"sku": "a"}], "style": {"size": "L"}}])
        shop.ingest(items=[{"id": "1", **gone}], allow_loss=True)
        assert shop.get_item("1")["fields"] == {}
        result = shop.ingest(items=[{"id": "1", **gone}], allow_loss=True)
        assert result.by_kind["items"].stored == 0
    with plait.open(tmp_path) as shop:
        assert shop.get_item("1")["fields"] == {}


def test_a_file_that_empties_the_objects_of_many_is_stopped(tmp_path):
    with plait.open(tmp_path) as shop:
        shop.ingest(items=[{"id": str(n), "style": {"size": "L"}} for n in range(20)])
        with pytest.raises(InputError) as caught:
            shop.ingest(items=[{"id": str(n), "style": None} for n in range(20)])
        assert caught.value.field == "style.size"
        assert shop.get_item("7")["fields"] == {"style.size": "L"}


# -- other notations


def test_typed_values_of_mongodb():
    rows = [
        {"_id": {"$oid": "507f"}, "price": {"$numberDecimal": "9.5"}, "n": {"$numberInt": "5"}},
        {
            "_id": {"$oid": "507e"},
            "seen": [{"$date": {"$numberLong": "1767305460000"}}],
            "x": {"$y": 1},
        },
    ]
    expected = {
        "507f": {"price": 9.5, "n": 5},
        "507e": {"seen": [1767305460000], "x.$y": 1},
    }
    for text in ("\n".join(map(json.dumps, rows)), json.dumps(rows), json.dumps({"rows": rows})):
        items, rejected, _ = items_of(text)
        present = {
            item: {name: value for name, value in fields.items() if value is not None}
            for item, fields in items.items()
        }
        assert (present, rejected) == (expected, 0)


@pytest.mark.parametrize("error", ["#REF!", "#DIV/0!", "#WERT!", "#¿NOMBRE?"])
def test_errors_of_a_spreadsheet_are_missing(error, tmp_path):
    rows = [f"{n},Lamp,{n}" for n in range(20)]
    data = "\n".join(["id,title,price", *rows, f"x,{error},{error}", f"{error},Vase,3"])
    with plait.open(tmp_path) as shop:
        result = shop.ingest(items=data.encode()).by_kind["items"]
        assert (result.stored, result.rejected, result.lost_fields) == (21, 1, 0)
        assert {note.code for note in result.notes} == {"placeholder-as-missing"}
        assert shop.field_types()["item"]["price"] == "number"
        assert shop.get_item("x")["fields"] == {}


def test_blank_lines_alone_are_no_file():
    with pytest.raises(InputError):
        items_of("  \n\n")


def test_two_spellings_of_an_event_type_are_one_finding(tmp_path):
    kinds = ["Add to cart", "add_to_cart"]
    rows = [{"user": "u", "item": "i", "time": 1_700_000_000, "event": kind} for kind in kinds]
    with plait.open(tmp_path) as shop:
        warnings = shop.ingest(events=rows).by_kind["events"].summary.warnings
        assert [note.code for note in warnings].count("misspelt-kind") == 1


# -- other languages


@pytest.mark.parametrize(
    ("line", "encoding", "proposals"),
    [
        ("1;Lampe für 5 €", "cp1252", ['"cp1252"']),
        ("1;crème brûlée", "latin-1", ['"cp1252"']),
        ("商品编号,标题,价格", "gb18030", ['"gb18030"', '"cp1252"']),
        ("商品コード,商品名", "shift_jis", ['"shift_jis"', '"latin-1"']),
        ("артикул;название", "cp1251", ['"cp1251"', '"cp1252"']),
    ],
)
def test_encodings_that_are_proposed(line, encoding, proposals):
    (batch,) = read_events(b"id;title\n" + line.encode(encoding) + b"\n", "items")
    names = re.findall(r'encoding = ("[^"]+")', batch.rejects[0].expected)
    assert names == proposals


def test_chinese_headers(tmp_path):
    items = "商品编号,商品名称,价格,库存\nA1,红色台灯,99,5\nA2,花瓶,88元,0\n"
    events = "用户ID,商品编号,下单时间,行为类型\nu1,A1,2026-01-01 10:00,购买\n"
    with plait.open(tmp_path) as shop:
        report = shop.ingest(items=items.encode(), events=events.encode())
        assert shop.get_item("A2")["fields"] == {"title": "花瓶", "价格": 88.0, "库存": 0.0}
        assert report.sellable.n_unavailable == 1
        columns = report.by_kind["events"].summary.columns
        assert [column.role for column in columns] == ["user", "item", "time", "kind"]
        assert "translated-kind" in {
            note.code for note in report.by_kind["events"].summary.warnings
        }


@pytest.mark.parametrize("mark", [",", ", ", ";", "|", " ", "\n"])
def test_addresses_of_pictures_in_one_cell(mark, tmp_path):
    pictures = ["https://a.b/c.jpg?w=1,2", "http://a.b/d,e.png"]
    rows = [{"id": str(n), "image": mark.join(pictures)} for n in range(3)]
    with plait.open(tmp_path) as shop:
        shop.ingest(items=rows)
        assert shop.field_types()["item"]["image"] == "media"
        assert shop.get_item("1")["fields"]["image"] == pictures
