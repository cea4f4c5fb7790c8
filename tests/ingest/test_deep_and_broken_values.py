"""Values nested thousands deep, and text that is no Unicode: a clear line at every entry point."""

import orjson
import pandas as pd
import pytest

import plait
from plait.errors import InputError
from plait.ingest.plain_values import MAX_LEVELS

BROKEN = "lamp \ud800"


def nested(levels, wrap=lambda value: [value]):
    value = 1
    for _ in range(levels):
        value = wrap(value)
    return value


DEEP = {
    "lists": nested(5000),
    "objects": nested(5000, lambda value: {"a": value}),
    "tuples": nested(5000, lambda value: (value,)),
    "lists in an object": {"a": nested(5000)},
}


@pytest.mark.parametrize("value", [*DEEP.values(), BROKEN], ids=[*DEEP, "surrogates"])
@pytest.mark.parametrize("name", ["note", "price"])
def test_a_value_that_cannot_be_stored_costs_its_field_at_every_entry_point(name, value, tmp_path):
    with plait.open(tmp_path) as workspace:
        row = {"item": "i", "title": "Lamp", name: value}
        column = pd.Series([value], dtype=object)
        frame = pd.DataFrame({"item": ["j"], "title": ["Lamp"], name: column})
        mixed = [{"item": "k", "title": "Lamp", name: 2}, {**row, "item": "l"}]
        for source in ([row], frame, mixed):
            result = workspace.ingest(items=source).by_kind["items"]
            assert (result.rejected, result.lost_fields) == (0, 1)
            assert result.problems[0].field == name
        assert workspace.get_item("l")["fields"] == {"title": "Lamp"}
        event = {"user": "u", "item": "i", "kind": "view"}
        result = workspace.ingest(events=[{**event, name: value}]).by_kind["events"]
        assert (result.stored, result.lost_fields) == (1, 1)
        _, (posted,) = workspace.post([{**event, "fields": {name: value}}])
        assert posted["status"] == "stored"
        assert [lost["field"] for lost in posted["lost"]] == [name]
        for change in (workspace.put_item, workspace.patch_item, workspace.put_user):
            with pytest.raises(InputError) as caught:
                change("i", {name: value})
            assert caught.value.field == name
        _, (bulk,) = workspace.post_items([{"id": "i", "fields": {name: value}}])
        assert bulk["status"] == "rejected"
        assert bulk["error"].startswith(f"{name}: ")


@pytest.mark.parametrize("role", ["item", "user", "time", "kind", "value", "request_id"])
@pytest.mark.parametrize("value", [nested(5000), BROKEN], ids=["deep", "surrogates"])
def test_a_role_that_cannot_be_read_costs_its_row(role, value, tmp_path):
    row = {"user": "u", "item": "i", "time": "2024-01-01", "kind": "view", "value": 1}
    with plait.open(tmp_path) as workspace:
        result = workspace.ingest(events=[row, {**row, role: value}]).by_kind["events"]
        assert (result.stored, result.rejected) == (1, 1)
        assert (result.problems[0].row, result.problems[0].field) == (2, role)


def test_json_that_is_too_deep_or_no_unicode_is_told_by_line(tmp_path):
    deep = b'{"item":"i","note":' + b"[" * 5000 + b"]" * 5000 + b"}"
    levels = b'{"item":"j","note":' + b"[" * 100 + b"1" + b"]" * 100 + b"}"
    broken = b'{"item":"k","title":"Lamp","note":"\\ud800x","price":3}'
    with plait.open(tmp_path) as workspace:
        result = workspace.ingest(items=b"\n".join([deep, levels, broken])).by_kind["items"]
        assert (result.stored, result.rejected, result.lost_fields) == (2, 1, 2)
        refused = next(problem for problem in result.problems if problem.row == 1)
        assert str(MAX_LEVELS) in refused.expected
        assert workspace.get_item("k")["fields"] == {"title": "Lamp", "price": 3}


@pytest.mark.parametrize("value", DEEP.values(), ids=DEEP)
def test_a_question_refuses_a_context_that_is_nested_too_deep(value, tmp_path):
    with plait.open(tmp_path) as workspace:
        workspace.ingest(items=[{"item": "i", "title": "Lamp"}])
        workspace.fit()
        with pytest.raises(InputError) as caught:
            workspace.recommend(user="u", context={"place": value})
        assert caught.value.field == "context"


def test_names_that_are_no_unicode_are_written_with_escapes(tmp_path):
    with plait.open(tmp_path) as workspace:
        report = workspace.ingest(items=[{"item": "i", "\ud800": 1, "size": {"\ud800": 2}}])
        assert workspace.get_item("i")["fields"] == {"\\ud800": 1, "size.\\ud800": 2}
        orjson.dumps(report.to_dict())  # also the receipt can be written
        "\n".join(report.lines()).encode()


def test_a_part_of_an_object_that_is_split_keeps_its_values(tmp_path):
    with plait.open(tmp_path) as workspace:
        rows = [{"item": "i", "name": {"tags": "a, b", "de": "Lampe"}}]
        workspace.ingest(items=rows, map={"items": {"split": {"name.tags": ","}}})
        fields = workspace.get_item("i")["fields"]
        assert fields["name.tags"] == ["a", "b"]
        assert [name for name in fields if name.endswith("tags")] == ["name.tags"]
