"""Keys: made once whoever starts, kept for their owner, compared whole."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from plait.errors import InputError, StorageError
from plait.server.api_keys import KeyRing, ensure_key
from plait.settings import Settings, load_settings

MAKE = """
import sys
from pathlib import Path
from plait.server.api_keys import ensure_key
from plait.settings import Settings
key, made = ensure_key(Settings(home=Path(sys.argv[1])))
print(key, made)
"""


def test_a_key_is_made_once_and_kept_for_its_owner(tmp_path):
    settings = Settings(home=tmp_path / "new" / "home")
    key, made = ensure_key(settings)
    assert made
    assert ensure_key(settings) == (key, False)
    path = settings.home / "key"
    assert path.read_text() == f"{key}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(key) > 40
    assert not list(settings.home.glob("*.new"))


def test_the_key_of_the_settings_needs_no_file(tmp_path):
    own = "a-key-of-the-settings"
    assert ensure_key(Settings(home=tmp_path, key=own)) == (own, False)
    assert not list(tmp_path.iterdir())


def test_processes_that_start_at_once_agree(tmp_path):
    command = [sys.executable, "-c", MAKE, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(Path("src").absolute())}
    started = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(6)
    ]
    outputs = [process.communicate()[0].split() for process in started]
    assert len({key for key, _ in outputs}) == 1
    assert [made for _, made in outputs].count("True") == 1


def test_an_empty_key_file_is_refused_by_name(tmp_path):
    (tmp_path / "key").touch()
    with pytest.raises(StorageError, match=r"key is empty.*remove it"):
        ensure_key(Settings(home=tmp_path))


def test_a_key_file_of_noise_is_refused_by_name(tmp_path):
    (tmp_path / "key").write_bytes(b"\xff\xfe\x00key")
    with pytest.raises(StorageError, match=r"key is not text.*remove it"):
        ensure_key(Settings(home=tmp_path))


def test_a_home_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"cannot be kept.*PLAIT_KEY"):
        ensure_key(Settings(home=tmp_path / "file" / "home"))


def test_scopes():
    ring = KeyRing("admin", read=("reader", "both"), ingest=("writer", "both"))
    assert ring.find(b"admin").scopes == {"read", "ingest", "admin"}
    assert ring.find(b"reader").scopes == {"read"}
    assert ring.find(b"writer").scopes == {"ingest"}
    assert ring.find(b"both").scopes == {"read", "ingest"}
    for wrong in (b"", b"admi", b"admin ", b"ADMIN", b"\xff\xfe", b"x" * 100_000):
        assert ring.find(wrong).scopes == frozenset()


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_a_key_that_others_may_read_is_refused(tmp_path, mode):
    settings = Settings(home=tmp_path)
    key, _ = ensure_key(settings)
    (tmp_path / "key").chmod(mode)
    with pytest.raises(
        StorageError, match=rf"mode is 0{mode:o}, expected 0600.*chmod 600"
    ) as error:
        ensure_key(settings)
    assert key not in str(error.value)
    (tmp_path / "key").chmod(0o400)
    assert ensure_key(settings) == (key, False)


@pytest.mark.parametrize("database", ["nonsense", "home", "postgres:secret@host/name"])
def test_a_database_that_is_no_url_is_refused_without_being_quoted(tmp_path, monkeypatch, database):
    monkeypatch.setenv("PLAIT_DATABASE", database)
    with pytest.raises(InputError, match=r"no URL.*postgresql\+psycopg://") as error:
        load_settings(tmp_path)
    assert error.value.field == "database"
    assert database not in str(error.value).replace("SQLite file in the home", "")
