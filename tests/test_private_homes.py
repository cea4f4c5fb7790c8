"""A home is its owner's alone, and a file of settings with secrets in it too."""

import stat
import subprocess
import sys

import pytest

import plait as library
from plait.errors import InputError, StorageError
from plait.server.api_keys import ensure_key
from plait.settings import KEY_LENGTH, Settings, load_settings
from tests.cli.shell import plait

KEY = "k" * KEY_LENGTH


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_everything_that_commands_make_is_readable_by_its_owner_only(tmp_path):
    events = tmp_path / "events.csv"
    events.write_text("user,item,time\n" + "".join(f"u{n % 3},i{n % 4},{n}\n" for n in range(40)))
    home = tmp_path / "home"
    assert plait("ingest", "--home", home, "--events", events).returncode == 0
    assert plait("fit", "--home", home).returncode == 0
    made = [home, *home.rglob("*")]
    assert len(made) > 10
    assert [path.name for path in made if mode(path) & 0o077] == []


def test_new_home_of_the_library_is_private_and_an_open_one_is_warned_of(tmp_path):
    with library.open(tmp_path / "new" / "home") as shop:
        assert shop.info()["warnings"] == []
    assert mode(tmp_path / "new" / "home") == 0o700
    (tmp_path / "new" / "home").chmod(0o755)
    with library.open(tmp_path / "new" / "home") as shop:
        (warning,) = shop.info()["warnings"]
    assert "0755" in warning
    assert f"chmod -R go= {tmp_path}" in warning


@pytest.mark.parametrize(
    ("line", "field"),
    [
        (f"key = '{KEY}'", "key"),
        (f"read_keys = ['{KEY}']", "read_keys"),
        ("pseudonym_key = 'x'", "pseudonym_key"),
        ("erasure_key = 'x'", "erasure_key"),
        ("webhook_secret = 'x'", "webhook_secret"),
        ("database = 'postgresql+psycopg://u:p@h/n'", "database"),
        ("database = 'postgresql+psycopg://h/n?user=u&password=p'", "database"),
    ],
)
@pytest.mark.parametrize("bits", [0o644, 0o640, 0o604, 0o620])
def test_settings_with_a_secret_that_others_may_read_are_refused(tmp_path, line, field, bits):
    path = tmp_path / "plait.toml"
    path.write_text(line)
    path.chmod(bits)
    with pytest.raises(InputError) as refused:
        load_settings(tmp_path)
    assert refused.value.field == field
    assert f"chmod 600 {path}" in refused.value.hint
    assert KEY not in str(refused.value)
    path.chmod(0o600)
    load_settings(tmp_path)


@pytest.mark.parametrize("line", ["workers = 2", "database = 'postgresql+psycopg://u@h/n'"])
def test_settings_without_a_secret_may_be_read_by_others(tmp_path, line):
    (tmp_path / "plait.toml").write_text(line)
    (tmp_path / "plait.toml").chmod(0o644)
    load_settings(tmp_path)


@pytest.mark.parametrize("name", ["key", "read_keys", "ingest_keys", "events_keys"])
def test_short_keys_are_refused(tmp_path, name):
    short = KEY[1:]
    with pytest.raises(InputError) as refused:
        load_settings(tmp_path, **{name: short})
    assert refused.value.field == name
    assert short not in str(refused.value)
    load_settings(tmp_path, **{name: KEY})


def test_short_key_in_the_file_of_a_home_is_refused(tmp_path):
    (tmp_path / "key").write_text("x\n")
    (tmp_path / "key").chmod(0o600)
    with pytest.raises(StorageError) as refused:
        ensure_key(Settings(home=tmp_path))
    assert "remove it" in refused.value.hint


@pytest.mark.parametrize(
    "content",
    [
        b"a = " + b"[" * 3000,
        b"a" + b".a" * 5000 + b" = 1",
        b"port" + b".a" * 5000 + b" = 1",
        b"\xff",
        b"port = " + b"9" * 5000,
    ],
    ids=["lists", "dotted", "dotted-setting", "no-text", "digits"],
)
def test_malformed_settings_are_one_line(tmp_path, content):
    (tmp_path / "plait.toml").write_bytes(content)
    with pytest.raises(InputError) as refused:
        load_settings(tmp_path)
    assert len(refused.value.message) < 1000
    assert "\n" not in refused.value.message


def test_server_process_makes_private_files_and_few_arenas():
    code = (
        "import os; from plait.utils.private_files import restrict_new_files;"
        "from plait.utils.allocator import limit_arenas;"
        "restrict_new_files(); limit_arenas(2); print(os.umask(0))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) == 0o077
