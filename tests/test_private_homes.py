"""A home is its owner's alone, and a file of settings with secrets in it too."""

import stat
import subprocess
import sys

import pytest

import plait as library
from plait.errors import InputError, StorageError
from plait.server.api_keys import ensure_key
from plait.settings import KEY_LENGTH, Settings, load_settings
from tests.cli.run_command import plait

KEY = "k" * KEY_LENGTH


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_everything_that_commands_make_is_readable_by_its_owner_only(tmp_path):
    events = tmp_path / "events.csv"
    events.write_text("user,item,time\nu,i,2024-01-01\nu,,2024-01-01\n")
    home = tmp_path / "home"
    assert plait("ingest", "--home", home, "--events", events).returncode == 0
    made = [home, *home.rglob("*")]
    assert {"plait.db", "rejects"} <= {path.name for path in made}
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
        b"a" + b".a" * 1500 + b" = 1",
        b"port" + b".a" * 1500 + b" = 1",
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


ARENAS = """
import ctypes, os, tempfile, threading
from plait.utils.allocator import limit_arenas
limit_arenas({count})
together, held = threading.Barrier(12), []
def allocate():
    held.append(bytearray(50_000))
    together.wait()
threads = [threading.Thread(target=allocate) for _ in range(12)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
with tempfile.NamedTemporaryFile() as out:
    stream = ctypes.c_void_p(libc.fopen(out.name.encode(), b"w"))
    libc.malloc_info(0, stream)
    libc.fclose(stream)
    print(open(out.name).read().count("<heap nr"))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="arenas are those of glibc")
def test_threads_share_the_arenas_that_they_are_limited_to():
    counts = [
        int(
            subprocess.run(
                [sys.executable, "-c", ARENAS.format(count=count)],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for count in (0, 2)
    ]
    assert counts[0] > 2
    assert counts[1] <= 2
