"""Field types: inferred once, kept, and what becomes of values that do not fit."""

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.data.types import Event
from plait.errors import ConflictError, InputError
from plait.schema.inference import infer_type
from plait.schema.schema import MAX_FIELDS, FieldProblem, Schema, typed


def put(fields, entity="item", at=0):
    text = fields if isinstance(fields, str) else orjson.dumps(fields).decode()
    return Event(entity, f"e{at}", "put", item="i", fields=text)


def admit(schema, *rows, entity="item"):
    return schema.admit([put(one, entity, at) for at, one in enumerate(rows)])


def kept(schema, value, kind=None, name="x"):
    """What a value of a field is stored as, or the problem."""
    if kind:
        schema = schema.declare("item", {name: kind})
    verdict = admit(schema, {name: value})[1][0]
    return verdict if isinstance(verdict, FieldProblem) else orjson.loads(verdict.fields)[name]


@pytest.mark.parametrize(
    ("name", "values", "wanted"),
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
def test_inference(name, values, wanted):
    assert infer_type(name, values) == wanted


@pytest.mark.parametrize(
    ("kind", "value", "wanted"),
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
def test_what_fits(kind, value, wanted):
    assert kept(Schema(), value, kind) == wanted


@pytest.mark.parametrize(
    ("kind", "value", "told"),
    [
        ("number", "many", "a number"),
        ("number", "1_000", "a number"),
        ("number", "nan", "finite"),
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
def test_what_drifts(kind, value, told):
    problem = kept(Schema(), value, kind)
    assert isinstance(problem, FieldProblem)
    assert problem.field == "x"
    assert told in problem.error


def test_the_whole_batch_votes_and_the_type_stays():
    rows = [{"price": "free"}, *({"price": str(n)} for n in range(40))]
    schema, verdicts = admit(Schema(), *rows)
    assert schema.types == {("item", "price"): "number"}
    assert isinstance(verdicts[0], FieldProblem)
    assert verdicts[0].index == 0
    assert all(isinstance(one, Event) for one in verdicts[1:])
    after, verdicts = admit(schema, {"price": "free"}, {"price": "7"})
    assert after is schema
    assert [type(one) for one in verdicts] == [FieldProblem, Event]


def test_entities_have_their_own_types():
    schema, _ = admit(Schema(), {"size": 5})
    schema, _ = schema.admit([Event("user", "u", "put", user="u", fields='{"size":"large"}')])
    assert schema.types == {("item", "size"): "number", ("user", "size"): "category"}


def test_null_fits_everywhere_and_teaches_nothing():
    schema, verdicts = admit(Schema(), {"x": None, "y": ""}, {})
    assert not schema.types
    assert [one.fields for one in verdicts] == ['{"x":null,"y":null}', "{}"]
    schema, verdicts = admit(schema, {"x": None}, {"x": 5})
    assert schema.types == {("item", "x"): "number"}
    assert [one.fields for one in verdicts] == ['{"x":null}', '{"x":5}']


def test_canonical_text_is_one_for_all_ways_to_say_it():
    said = ['{"b": 1.0, "a": "x"}', '{"a":"x","b":1}', '{"a":"x","b":"1"}']
    _, verdicts = admit(Schema().declare("item", {"b": "number"}), *said)
    assert {one.fields for one in verdicts} == {'{"a":"x","b":1}'}


def test_events_without_fields_and_facts_pass():
    events = [
        Event("interaction", "a", "view", "u", "i"),
        Event("fact", "f", "made_of", item="i", fields='{"tail": "wood"}'),
        Event("erase", "x", user="u"),
    ]
    schema = Schema()
    assert schema.admit(events) == (schema, events)


@pytest.mark.parametrize("text", ["", "x", "[1]", "5", "null", '{"a":NaN}', '{"a":1e999}'])
def test_what_is_no_object(text):
    problem = admit(Schema(), text)[1][0]
    assert isinstance(problem, FieldProblem)


def test_names_and_their_number_are_bounded():
    schema, verdicts = admit(Schema(), {"": 1}, {"x" * 201: 1}, {"a\nb": 1}, {"ok": 1})
    assert [type(one) for one in verdicts] == [FieldProblem] * 3 + [Event]
    schema, verdicts = admit(schema, *({f"f{n:04}": n} for n in range(MAX_FIELDS)))
    assert len(schema.types) == MAX_FIELDS
    assert [at for at, one in enumerate(verdicts) if isinstance(one, FieldProblem)] == [999]
    assert "1000 fields" in verdicts[999].error


def test_declared_types():
    schema = Schema().declare("item", {"code": "number"})
    assert kept(schema, "007", name="code") == 7
    assert schema.declare("item", {"code": "number"}) == schema
    with pytest.raises(ConflictError, match="stored as number, not text"):
        schema.declare("item", {"code": "text"})
    with pytest.raises(InputError, match="no field type"):
        schema.declare("item", {"x": "integer"})
    with pytest.raises(InputError, match="no fields for"):
        schema.declare("shop", {})
    with pytest.raises(InputError, match="can name no field"):
        schema.declare("item", {"a\nb": "text"})
    with pytest.raises(InputError, match="1,001 fields"):
        schema.declare("item", {f"f{n}": "number" for n in range(MAX_FIELDS)})


def test_typed_values():
    types = {("item", "tags"): "set", ("item", "at"): "place", ("item", "n"): "number"}
    said = '{"at":[1.0,2.0],"n":null,"other":null,"tags":["a","b"]}'
    assert typed(said, "item", types) == {"at": (1.0, 2.0), "n": None, "tags": ("a", "b")}
    assert typed(None, "item", types) == {}
    assert typed('{"n":5}', "user", types) == {}


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


@settings(max_examples=200, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(["a", "b", "tags", "title"]), values), max_size=6))
def test_admitting_again_changes_nothing(rows):
    schema, verdicts = admit(Schema(), *rows)
    good = [one for one in verdicts if isinstance(one, Event)]
    again, twice = schema.admit(good)
    assert again is schema
    assert len(twice) == len(good)
    for one, other in zip(good, twice, strict=True):
        assert isinstance(other, Event)
        mine, theirs = (
            typed(one.fields, "item", schema.types),
            typed(other.fields, "item", schema.types),
        )
        times = {name for (_, name), kind in schema.types.items() if kind == "time"}
        assert {k: v for k, v in mine.items() if k not in times} == {
            k: v for k, v in theirs.items() if k not in times
        }
