"""What an operator may set, and what is refused by its name."""

from __future__ import annotations

import pytest

from plait.errors import InputError
from plait.settings import load_settings


@pytest.mark.parametrize(
    ("name", "value"),
    [("workers", 0), ("poll_ms", 0), ("body_limit", -1), ("batch_limit", 0), ("log_level", "loud")],
)
def test_values_that_cannot_be_are_refused(tmp_path, name, value):
    with pytest.raises(InputError, match=name) as caught:
        load_settings(tmp_path, **{name: value})
    assert caught.value.field == name


def test_a_level_may_be_in_capitals(tmp_path):
    assert load_settings(tmp_path, log_level="WARNING").log_level == "WARNING"


def test_what_stands_around_a_key_is_no_part_of_it(tmp_path, monkeypatch):
    keys = ("key-number-one-00", "key-number-two-00")
    monkeypatch.setenv("PLAIT_KEY", f" {keys[0]}\n")
    monkeypatch.setenv("PLAIT_READ_KEYS", f"{keys[0]}, {keys[1]},\n")
    settings = load_settings(tmp_path)
    assert settings.key == keys[0]
    assert settings.read_keys == keys
