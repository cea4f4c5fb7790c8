"""What is retired leaves the live state at once, in other processes too, and comes back whole."""

import pytest

import plait.workspace
from plait.errors import InputError


@pytest.fixture
def shop(tmp_path):
    with plait.workspace.open(tmp_path / "home") as workspace:
        workspace.put_item("mug", {"title": "Mug", "colour": "red"})
        rows = [{"kind": kind, "user": "ann", "item": "mug"} for kind in ("view", "purchse")]
        workspace.post(rows)
        yield workspace.start()


def test_a_retired_field_is_no_longer_read_and_is_refused_by_name(shop):
    shop.retire("item", "colour")
    assert shop.get_item("mug")["fields"] == {"title": "Mug"}
    assert shop.retired() == {"item": ["colour"]}
    with pytest.raises(InputError) as refusal:
        shop.put_item("cup", {"title": "Cup", "colour": "blue"})
    assert refusal.value.field == "colour"
    shop.restore("item", "colour")
    assert shop.get_item("mug")["fields"] == {"title": "Mug", "colour": "red"}


def test_interactions_of_a_retired_kind_leave_the_state_and_come_back(shop):
    shop.retire("kind", "purchse")
    assert (shop.info()["interactions"], list(shop.info()["kinds"])) == (1, ["view"])
    (row,) = shop.post([{"kind": "purchse", "user": "ann", "item": "mug"}])[1]
    assert row["status"] == "rejected"
    shop.restore("kind", "purchse")
    assert shop.info()["interactions"] == 2


def test_the_state_of_another_process_lacks_what_was_retired(shop, tmp_path):
    shop.retire("kind", "purchse")
    shop.retire("item", "colour")
    with plait.workspace.open(tmp_path / "home") as other:
        other.start()
        assert other.info()["interactions"] == 1
        assert other.get_item("mug")["fields"] == {"title": "Mug"}
