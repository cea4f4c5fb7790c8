"""Customers and guest sessions, a mapping from a pipe, what to install outside a checkout."""

import os
import sys
import threading
from importlib import metadata

import pytest

import plait
from plait.errors import MissingExtraError

CSV = "who,what,sid\nanna,mug,\nbob,pot,s0\n,mug,s1\n,pot,s2\n,mug,s2\n"
MAPPING = """
[events]
user = "who"
item = "what"
session = "sid"
[items]
item = "sku"
fields = { label = "title" }
"""


def test_info_counts_customers_apart_from_guest_sessions(tmp_path):
    (tmp_path / "events.csv").write_text(CSV)
    (tmp_path / "map.toml").write_text(MAPPING)
    home = tmp_path / "home"
    with plait.open(home) as shop:
        shop.ingest(events=tmp_path / "events.csv", map=tmp_path / "map.toml")
        counts = shop.info()
    assert (counts["users"], counts["customers"], counts["guest_sessions"]) == (4, 2, 2)
    with plait.open(home, pseudonyms=True) as shop:  # a pseudonym does not tell
        assert shop.info()["customers"] is None


def test_a_mapping_from_a_pipe_is_read_once(tmp_path):
    (tmp_path / "events.csv").write_text(CSV)
    (tmp_path / "items.csv").write_text("sku,label\nmug,Red mug\npot,Tea pot\n")
    reading, writing = os.pipe()

    def write():
        with os.fdopen(writing, "w") as pipe:
            pipe.write(MAPPING)

    writer = threading.Thread(target=write)
    writer.start()
    with plait.open(tmp_path / "home") as shop, os.fdopen(reading):
        report = shop.ingest(
            events=tmp_path / "events.csv",
            items=tmp_path / "items.csv",
            map=f"/dev/fd/{reading}",
        )
        assert report.stored == 7
        assert shop.get_item("mug")["fields"] == {"title": "Red mug"}
    writer.join()


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Plait installed from a wheel, as its metadata say."""
    folder = tmp_path / "plait-9.9.9.dist-info"
    folder.mkdir()
    extras = metadata.distribution("plait").requires or []
    lines = ["Metadata-Version: 2.4", "Name: plait", "Version: 9.9.9"]
    lines += [f"Requires-Dist: {requirement}" for requirement in extras]
    (folder / "METADATA").write_text("\n".join(lines))
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])


@pytest.mark.parametrize(
    ("extra", "packages"),
    [("postgres", ["psycopg[binary]"]), ("deep", ["torch", "accelerate"]), ("tune", ["optuna"])],
)
def test_outside_a_checkout_the_packages_are_named(installed, extra, packages):
    hint = MissingExtraError("it", extra).hint
    assert hint.startswith("pip install ")
    assert "plait" not in hint
    assert all(f'"{package}' in hint for package in packages)


def test_in_a_checkout_the_extra_is_named():
    assert MissingExtraError("it", "deep").hint == 'pip install "plait[deep]"'
