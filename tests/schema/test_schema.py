"""Field types: inference, declaration, conversion, and values that do not fit."""

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.data.types import Event
from plait.errors import ConflictError, InputError
from plait.schema.inference import infer_type
from plait.schema.schema import MAX_FIELDS, FieldProblem, FieldReader, Schema


def put(fields, entity="item", index=0):
    text = fields if isinstance(fields, str) else orjson.dumps(fields).decode()
    return Event(entity, f"e{index}", "put", item="i", fields=text)


def admit(schema, *rows, entity="item"):
    return schema.admit([put(fields, entity, index) for index, fields in enumerate(rows)])


def stored_value(schema, value, kind=None, name="x"):
    """What a value of a field is stored as, or the FieldProblem."""
    if kind:
        schema = schema.declare("item", {name: kind})
    _, (event,), lost = admit(schema, {name: value})
    return lost[0] if lost else orjson.loads(event.fields)[name]


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("x", [True, False], "category"),
        ("x", [1, 2.5], "number"),
        ("x", ["1", "2.5", "-3e4"], "number"),
        ("x", ["1", 2, None, ""], "number"),
        ("zip", ["02134", "90210"], "category"),
        ("x", ["02134", "90210"], "category"),
        ("InvoiceNo", [536365, "C536366"], "category"),
        ("productCode", ["1", "2"], "category"),
        ("paid", ["1", "2"], "number"),
        ("paid", ["1", "NaN", "-inf"], "number"),
        ("x", ["NaN", "inf"], "category"),
        ("x", ["2020-01-01", "2020-01-02T03:04:05Z"], "time"),
        ("release", ["01-Jan-1995"], "time"),
        ("x", [["a"], []], "set"),
        ("features", [["a", "b"]], "set"),
        ("description", [["a", "b"]], "text"),
        ("genres", ["Comedy"], "set"),
        ("x", ["A|B", "C|D", "E"], "set"),
        ("x", ["A | B", "C | D"], "category"),
        ("x", [{"lat": 1, "lon": 2}], "place"),
        ("x", [{"latitude": 1, "lng": 2}], "place"),
        ("x", [{"a": 1}], None),
        ("x", ["https://x.org/a.jpg", "img/b.PNG?x=1"], "media"),
        ("x", ["https://x.org/a.html"], "category"),
        ("title", ["Mug"], "text"),
        ("product_name", ["Mug"], "text"),
        ("x", ["red", "blue", "red"], "category"),
        ("x", ["a red mug with two handles"], "text"),
        ("x", [f"mug {n}" for n in range(30)], "text"),
        ("x", [f"mug{n}" for n in range(30)], "category"),
        ("x", [None, ""], None),
        ("x", [], None),
    ],
)
def test_infer_type_returns_the_type_that_fits(name, values, expected):
    assert infer_type(name, values) == expected


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("number", "4.25", 4.25),
        ("number", 3.0, 3),
        ("number", " 7 ", 7),
        ("number", 10**18, 10**18),
        ("number", "", None),
        ("text", 5, "5"),
        ("text", 5.0, "5"),
        ("text", 0.5, "0.5"),
        ("text", True, "true"),
        ("text", ["a", "b"], "a\nb"),
        ("category", False, "false"),
        ("category", "", None),
        ("set", "a|b|a| c", ["a", "b", "c"]),
        ("set", ["b", "a", "b", None, 1], ["b", "a", "1"]),
        ("set", "solo", ["solo"]),
        ("set", [], None),
        ("time", "1995-01-01", 788918400000000),
        ("time", "1995", 788918400000000),
        ("time", "01-Jan-1995", 788918400000000),
        ("time", "1995-01-01T01:00:00+01:00", 788918400000000),
        ("time", 788918400, 788918400000000),
        ("time", 788918400000, 788918400000000),
        ("time", 788918400000000, 788918400000000),
        ("place", {"lat": 1, "lon": "2"}, [1.0, 2.0]),
        ("place", [1, 2], [1.0, 2.0]),
        ("place", "51.5,-0.1", [51.5, -0.1]),
        ("media", "a.jpg", "a.jpg"),
    ],
)
def test_fitting_values_become_canonical(kind, value, expected):
    assert stored_value(Schema(), value, kind) == expected


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("number", "many", "a number"),
        ("number", "1_000", "a number"),
        ("number", "inf", "finite"),
        ("number", "-inf", "finite"),
        ("number", True, "a number"),
        ("number", [1], "a number"),
        ("text", {"a": 1}, "text"),
        ("category", ["a"], "text"),
        ("set", {"a": 1}, "list"),
        ("set", [["a"]], "list"),
        ("time", "soon", "ISO 8601"),
        ("time", 1e300, "ISO 8601"),
        ("time", True, "ISO 8601"),
        ("place", [91, 0], "lat, lon"),
        ("place", [1], "lat, lon"),
        ("place", {"lat": 1}, "lat, lon"),
        ("place", [True, 1], "lat, lon"),
        ("media", 5, "picture"),
    ],
)
def test_values_of_another_type_are_problems(kind, value, expected):
    problem = stored_value(Schema(), value, kind)
    assert isinstance(problem, FieldProblem)
    assert problem.field == "x"
    assert expected in problem.expected


def test_a_new_field_gets_its_type_from_the_whole_batch_and_keeps_it():
    rows = [{"price": "free"}, *({"price": str(n)} for n in range(40))]
    schema, events, lost = admit(Schema(), *rows)
    assert schema.types == {("item", "price"): "number"}
    assert [(problem.index, problem.field, problem.value) for problem in lost] == [
        (0, "price", "free")
    ]
    assert [event.fields for event in events[:2]] == ["{}", '{"price":0}']
    after, events, lost = admit(schema, {"price": "7"}, {"price": "free", "size": "L"})
    assert after.types == {("item", "price"): "number", ("item", "size"): "category"}
    assert [event.fields for event in events] == ['{"price":7}', '{"size":"L"}']
    assert [(problem.index, problem.field) for problem in lost] == [(1, "price")]


def test_a_field_may_differ_in_type_between_entities():
    schema, _, _ = admit(Schema(), {"size": 5})
    schema, _, _ = schema.admit([Event("user", "u", "put", user="u", fields='{"size":"large"}')])
    assert schema.types == {("item", "size"): "number", ("user", "size"): "category"}


def test_null_fits_every_type_and_gives_none():
    schema, verdicts, _ = admit(Schema(), {"x": None, "y": ""}, {})
    assert not schema.types
    assert [event.fields for event in verdicts] == ['{"x":null,"y":null}', "{}"]
    schema, verdicts, _ = admit(schema, {"x": None}, {"x": 5})
    assert schema.types == {("item", "x"): "number"}
    assert [event.fields for event in verdicts] == ['{"x":null}', '{"x":5}']


def test_equal_fields_have_equal_canonical_text():
    texts = ['{"b": 1.0, "a": "x"}', '{"a":"x","b":1}', '{"a":"x","b":"1"}']
    _, verdicts, _ = admit(Schema().declare("item", {"b": "number"}), *texts)
    assert {event.fields for event in verdicts} == {'{"a":"x","b":1}'}


def test_events_without_fields_and_triples_pass_unchanged():
    events = [
        Event("interaction", "a", "view", "u", "i"),
        Event("fact", "f", "made_of", item="i", fields='{"tail": "wood"}'),
        Event("erase", "x", user="u"),
    ]
    schema = Schema()
    assert schema.admit(events) == (schema, events, [])


@pytest.mark.parametrize("text", ["", "x", "[1]", "5", "null", '{"a":NaN}', '{"a":1e999}'])
def test_text_that_is_not_an_object_is_a_problem(text):
    problem = admit(Schema(), text)[1][0]
    assert isinstance(problem, FieldProblem)


def test_field_names_and_their_count_are_bounded():
    schema, events, lost = admit(Schema(), {"": 1}, {"x" * 201: 1}, {"a\nb": 1}, {"ok": 1})
    assert [problem.index for problem in lost] == [0, 1, 2]
    assert [event.fields for event in events] == ["{}", "{}", "{}", '{"ok":1}']
    schema, _, lost = admit(schema, *({f"f{n:04}": n} for n in range(MAX_FIELDS)))
    assert len(schema.types) == MAX_FIELDS
    assert [problem.index for problem in lost] == [999]
    assert str(MAX_FIELDS) in lost[0].expected


def test_declared_types_are_used_and_cannot_be_changed():
    schema = Schema().declare("item", {"code": "number"})
    assert stored_value(schema, "007", name="code") == 7
    assert schema.declare("item", {"code": "number"}) == schema
    with pytest.raises(ConflictError) as caught:
        schema.declare("item", {"code": "text"})
    assert caught.value.field == "code"


@pytest.mark.parametrize(
    ("entity", "types", "field"),
    [
        ("item", {"x": "integer"}, "x"),
        ("workspace", {}, ""),
        ("item", {"a\nb": "text"}, ""),
        ("item", {f"f{n}": "number" for n in range(MAX_FIELDS)}, ""),
    ],
)
def test_invalid_declarations_are_refused(entity, types, field):
    schema = Schema().declare("item", {"code": "number"})
    with pytest.raises(InputError) as caught:
        schema.declare(entity, types)
    assert caught.value.field == field
    assert caught.value.hint


def test_reader_returns_tuples_and_leaves_out_fields_without_type():
    types = {("item", "tags"): "set", ("item", "at"): "place", ("item", "n"): "number"}
    text = '{"at":[1.0,2.0],"n":null,"other":null,"tags":["a","b"]}'
    assert FieldReader("item", types).read(text) == {
        "at": (1.0, 2.0),
        "n": None,
        "tags": ("a", "b"),
    }
    assert FieldReader("item", types).read(None) == {}
    assert FieldReader("user", types).read('{"n":5}') == {}
    assert FieldReader("item", types, "n".__eq__).read(text) == {"n": None}


def test_blanks_around_texts_do_not_count():
    types = {("item", "brand"): "category", ("item", "title"): "text", ("item", "tags"): "set"}
    text = '{"brand":"Alpina   ","tags":[" a","a ","  "],"title":" Red  lamp\\n"}'
    values = {"brand": "Alpina", "tags": ("a",), "title": "Red  lamp"}
    assert FieldReader("item", types).read(text) == values


def test_null_for_an_object_is_null_for_the_parts_that_are_not_named():
    types = {("item", name): "category" for name in ("name", "name.de", "name.en.us", "names")}
    read = FieldReader("item", types).read
    assert read('{"name":null}') == {"name": None, "name.de": None, "name.en.us": None}
    assert read('{"name":null,"name.de":"Vase"}')["name.de"] == "Vase"
    assert read('{"name.de":"Vase","name.en":null}') == {"name.de": "Vase", "name.en.us": None}


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["lat", "lon", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=200)
@given(st.lists(st.dictionaries(st.sampled_from(["a", "b", "tags", "title"]), values), max_size=6))
def test_admitting_again_changes_nothing(rows):
    schema, admitted, _ = admit(Schema(), *rows)
    events = [event for event in admitted if isinstance(event, Event)]
    again, admitted_twice, _ = schema.admit(events)
    assert again is schema
    assert len(admitted_twice) == len(events)
    # Times are left out: a number of microseconds may be read in another unit.
    types = {key: kind for key, kind in schema.types.items() if kind != "time"}
    read = FieldReader("item", types).read
    for first, second in zip(events, admitted_twice, strict=True):
        assert isinstance(second, Event)
        assert read(first.fields) == read(second.fields)
