"""Settings from plait.toml, the environment and arguments."""

import dataclasses

import pytest

from plait.errors import InputError
from plait.settings import Settings, child_environment, load_settings

LONG = "a-key-of-16-char"


def write(folder, text, mode=0o600):
    (folder / "plait.toml").write_text(text, encoding="utf-8")
    (folder / "plait.toml").chmod(mode)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("workers = 3", 3),
        ("workers = '3'", 3),
        ("impressions = 'no'", False),
        ("impressions = 0", False),
        ("webhook_secret = 5", "5"),
        (f'key = " {LONG}\\n"', LONG),
        (f"read_keys = ['{LONG} ', '', '{LONG}b']", (LONG, f"{LONG}b")),
        (f"read_keys = '{LONG}, {LONG}b,'", (LONG, f"{LONG}b")),
        ("stage_modules = 'shop, shop_models.own'", ("shop", "shop_models.own")),
        ("log_level = 'WARNING'", "WARNING"),
    ],
)
def test_values_of_the_file_get_their_type(tmp_path, line, value):
    write(tmp_path, line)
    settings = load_settings(tmp_path)
    assert getattr(settings, line.split(" ")[0]) == value
    assert settings.home == tmp_path


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("workers = 0", "workers"),
        ("workers = 'many'", "workers"),
        ("workrs = 1", "workrs"),
        ("port = 8000.5", "port"),
        ("impressions = 'perhaps'", "impressions"),
        ("read_keys = 5", "read_keys"),
        ("stale_wait_ms = -1", "stale_wait_ms"),
        ("log_level = 'loud'", "log_level"),
        ("database = 'nowhere'", "database"),
    ],
)
def test_invalid_settings_are_refused_by_name(tmp_path, line, field):
    write(tmp_path, line)
    with pytest.raises(InputError) as caught:
        load_settings(tmp_path)
    assert caught.value.field == field


def test_a_file_that_is_not_toml_is_refused(tmp_path):
    write(tmp_path, "workers =")
    with pytest.raises(InputError) as caught:
        load_settings(tmp_path)
    assert str(tmp_path) in caught.value.message


def test_the_environment_wins_over_the_file_and_arguments_over_both(tmp_path, monkeypatch):
    write(tmp_path, "workers = 2\nport = 1\npoll_ms = 3")
    monkeypatch.setenv("PLAIT_WORKERS", "4")
    monkeypatch.setenv("PLAIT_PORT", "5")
    settings = load_settings(tmp_path, port=6, poll_ms=None)
    assert (settings.workers, settings.port, settings.poll_ms) == (4, 6, 3)


@pytest.mark.parametrize("name", ["database", "key", "read_keys", "pseudonym_key"])
def test_secrets_are_not_shown(tmp_path, name):
    with pytest.raises(InputError) as caught:
        load_settings(tmp_path, **{name: {"s3cret": 1}})
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in repr(
        Settings(key="s3cret-of-16-char", database="postgresql://u:s3cret@h/n")
    )


def test_a_child_process_loads_the_same_settings(tmp_path, monkeypatch):
    settings = load_settings(tmp_path, workers=3, read_keys=(LONG, f"{LONG}b"), pseudonyms=True)
    for name, value in child_environment(settings, tmp_path / "metrics").items():
        monkeypatch.setenv(name, value)
    assert load_settings() == settings
    assert dataclasses.replace(settings, port=1).port == 1


def test_a_file_that_is_not_utf8_and_a_home_with_too_long_a_name_are_refused(tmp_path):
    (tmp_path / "plait.toml").write_bytes(b'recipe = "caf\xe9"\n')
    for home in (tmp_path, tmp_path / ("x" * 5000)):
        with pytest.raises(InputError) as refused:
            load_settings(home)
        assert refused.value.message.startswith(f"{home}/plait.toml")
        assert "\n" not in refused.value.message
