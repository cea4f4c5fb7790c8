"""What cannot be read again is not acknowledged: after a damaged page nothing is stored."""

import os

import pytest

from plait.data.types import Event
from plait.errors import InputError, StorageError
from plait.eventlog import EventLog


def click(name):
    return Event("interaction", name, "view", "u", "i", 1_700_000_000_000_000)


def damage(path):
    """Overwrite leaf pages in the middle of a database, not its head."""
    data = bytearray(path.read_bytes())
    for start in range(4096 * 20, len(data) - 4096 * 20, 4096):
        data[start : start + 4096] = os.urandom(4096)
    path.write_bytes(bytes(data))


def test_nothing_is_stored_after_a_read_met_a_damaged_page(home):
    with EventLog.open(home) as log:
        log.append([click(f"e{number}" * 30) for number in range(3000)])
    damage(home / "plait.db")
    with EventLog.open(home) as log:
        with pytest.raises(StorageError):
            list(log.read())
        with pytest.raises(StorageError) as refused:
            log.append([click("new")])
        assert "damaged" in refused.value.message
        assert "malformed" not in refused.value.public


def test_error_of_a_read_without_damage_does_not_stop_writing(home):
    with EventLog.open(home) as log:
        with pytest.raises(StorageError), log._store.reading() as connection:
            connection.exec_driver_sql("SELECT nothing FROM nowhere")
        assert log.append([click("new")]).version == 1


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://plait:x@S3cretPw@host/db",
        "postgresql+psycopg://plait:x@S3/cretPw@host/db",
        "postgresql+psycopg://plait:x@S3?cretPw@host/db",
        "postgresql+psycopg://plait:p@host:S3cretPw/db",
        "postgresql+psycopg://plait:S3cretPw/db",
        "postgresql+psycopg://plait:p@[::1]:S3cretPw/db",
    ],
)
def test_wrong_database_url_is_refused_without_its_secret(url):
    with pytest.raises(InputError) as refused:
        EventLog.open(url)
    for part in ("S3", "cretPw"):
        assert part not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.hint


def test_words_of_the_driver_are_not_public(tmp_path):
    with pytest.raises(StorageError) as refused:
        EventLog.open(f"postgresql+psycopg://nobody@/none?host={tmp_path}")
    assert str(tmp_path) in refused.value.message
    assert str(tmp_path) not in refused.value.public
