"""What stands in sentences: titles, field values and words, safe and short."""

import numpy as np
import pytest

from plait.data.catalogue import Catalogue, Change
from plait.ranking.explanation.field_values import item_titles, shared_values, speaking_fields
from plait.ranking.explanation.matched_words import matched_words
from plait.ranking.explanation.reason_writer import _filled
from plait.ranking.explanation.safe_text import safe_text, shortened


def catalogue(types, *fields):
    made = Catalogue().with_ids([f"SKU-{number}" for number in range(len(fields))])
    changes = [Change(number, "put", values, number) for number, values in enumerate(fields)]
    return made.with_columns(types).updated(changes)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Red mug", "Red mug"),
        ("  Red\tmug\n", "Red mug"),
        ("<b>Red</b> mug", "Red mug"),
        ("<script>alert(1)</script>mug", "alert(1) mug"),
        ("a < b > c", "a ‹ b › c"),
        ("Tom &amp; Jerry", "Tom & Jerry"),
        ("&lt;b&gt;mug", "mug"),
        ("mug\x00\x07\x1b[2J", "mug[2J"),
        ("\u202egum\u202c \u2066x\u2069\u200f\ufeff", "gum x"),
        ("soft\u00adhyphen", "softhyphen"),
        ("👩\u200d🍳 apron", "👩\u200d🍳 apron"),
        ("茶杯\u3000红色", "茶杯 红色"),
        ("Tasse für\u00a0zwei", "Tasse für zwei"),
        ("\x00", ""),
    ],
)
def test_safe_text(text, expected):
    assert safe_text(text) == expected


@pytest.mark.parametrize(
    ("text", "length", "expected"),
    [
        ("Red mug", 7, "Red mug"),
        ("Red mugs", 5, "Red…"),
        ("Cafe\u0301s", 5, "Caf…"),
        ("ab👩\u200d🍳d", 4, "ab…"),
    ],
)
def test_shortened_cuts_no_character_from_its_marks(text, length, expected):
    result = shortened(text, length)
    assert result == expected
    assert len(result) <= length


@pytest.mark.parametrize("template", ["{item} and {because}", "x" * 300, "{because}" * 20])
def test_sentence_has_at_most_120_characters(template):
    values = {"item": "long title " * 30, "because": "longer title " * 30}
    assert len(_filled(template, values, " ({item})")) <= 120


def test_titles_by_language_and_never_the_id_where_there_are_titles():
    types = {"title": "text", "title.de": "text", "name_zh": "text"}
    items = catalogue(types, {"title": "Mug", "title.de": "Tasse", "name_zh": "茶杯"}, {})
    assert item_titles(items, [0, 1, 9], "", "en") == {0: "Mug", 1: "", 9: ""}
    assert item_titles(items, [0], "", "de") == {0: "Tasse"}
    assert item_titles(items, [0], "", "zh") == {0: "茶杯"}
    assert item_titles(items, [0], "title", "de") == {0: "Mug"}
    nested = catalogue({"name.de": "text"}, {"name.de": "Tasse"})
    assert item_titles(nested, [0], "", "en") == {0: "Tasse"}
    assert item_titles(catalogue({}, {}), [0], "", "en") == {0: "SKU-0"}


@pytest.mark.parametrize(
    "name",
    [
        *("id", "product_id", "parentId", "parent", "item_group_id", "variant.of", "EAN", "url"),
        *("image", "picture_1", "description", "body", "status", "in-stock.status", "sku"),
        *("title", "produkt.titel.fr"),
    ],
)
def test_field_that_says_nothing_is_silent(name):
    items = catalogue({name: "category", "brand": "category"}, {})
    assert speaking_fields(items, ()) == ["brand"]
    assert speaking_fields(items, [name, "no such field"]) == [name]


@pytest.mark.parametrize(
    "value",
    [
        *("MOD-KLE-08", "8412345678901", "https://example.org/a", "n/a", "-", "None", "true"),
        *("(no genres listed)", "<b>mugs</b>", "", "x" * 41, "someone@example.org", "a\x00b"),
    ],
)
def test_value_that_is_no_word_is_not_shared(value):
    items = catalogue(
        {"brand": "category", "tags": "set"}, *[{"brand": value, "tags": (value,)}] * 2
    )
    assert not shared_values(items, [(0, 1)], ())


def test_shared_value_is_a_category_or_else_the_longest_common_member():
    types = {"brand": "category", "tags": "set", "title": "text"}
    first = {"brand": "OPI", "tags": ("red", "kitchen"), "title": "same"}
    second = {"brand": "LUM", "tags": ("kitchen", "red"), "title": "same"}
    items = catalogue(types, first, second, {**second, "brand": "OPI"})
    assert shared_values(items, [(0, 1), (0, 2), (0, 9)], ()) == {
        (0, 1): {"field": "tags", "value": "kitchen"},
        (0, 2): {"field": "brand", "value": "OPI"},
    }


@pytest.mark.parametrize(
    ("title", "text", "expected"),
    [
        ("Damen Bluse", "Damen Jacke", ("Damen",)),
        ("Red mug", "MUGS red", ("mug", "Red")),
        ("Café crème", "cafe CREME", ("Café", "crème")),
        ("Große Tassen", "grosse tasse", ("Große", "Tassen")),
        ("红色陶瓷茶杯", "红色茶杯", ("红色", "茶杯")),
        ("Car", "care", ()),
        ("Teetasse", "zeppelin <b>tee</b>", ()),
        ("b mug", "<b>mug</b>\x00", ("mug",)),
        ("Mug", "mug " * 50, ("Mug",)),
    ],
)
def test_words_that_occur(title, text, expected):
    assert matched_words(catalogue({"title": "text"}, {"title": title}), 0, text) == expected


def test_words_of_an_item_without_text():
    assert matched_words(catalogue({"price": "number"}, {"price": np.nan}), 0, "mug") == ()
