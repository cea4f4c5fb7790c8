"""Tests of the report of searches: planted searches in vain, and what was searched for next."""

import json

import pytest
from typer.testing import CliRunner

import plait
from plait.cli.main import app
from plait.errors import InputError

ITEMS = [
    *({"item": f"sofa{number}", "title": f"grey sofa {number}"} for number in range(3)),
    {"item": "bin", "title": "waste bin"},
]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Three persons search for a couch in vain, then for a sofa; bins interest nobody."""
    folder = tmp_path_factory.mktemp("searches") / "home"
    with plait.open(folder, impressions=True) as shop:
        shop.ingest(items=ITEMS)
        shop.fit("search")
        for person in ("anna", "bob", "carl"):
            shop.post([{"user": person, "kind": "view", "item": "bin"}])
            assert shop.search("zzcouch", user=person).ids == []
            shop.search("zzlamp", filter='title == "none"')
            answer = shop.search("Sofa", user=person)
            view = {"user": person, "kind": "view", "request_id": answer.request_id}
            shop.post([{**view, "item": "sofa1"}])
        for _ in range(6):
            shop.search("bin")
    return folder


def test_searches_in_vain_and_their_next_wording_are_reported(home):
    with plait.open(home) as shop:
        report = shop.search_report()
    assert (report.searches, report.queries) == (15, 4)
    assert report.click_through == pytest.approx(3 / 12)
    assert [(row.query, row.searches) for row in report.without_results] == [("zzcouch", 3)]
    assert [(row.query, row.clicked) for row in report.low_click_through] == [("bin", 0)]
    (pair,) = report.reformulated
    assert (pair.query, pair.next_query) == ("zzcouch", "Sofa")
    assert (pair.persons, pair.clicked) == (3, 3)
    assert report.synonyms == ["zzcouch => sofa"]


def test_command_prints_the_report_and_json(home):
    plain = CliRunner().invoke(app, ["search-report", "--home", str(home)])
    assert plain.exit_code == 0
    assert "zzcouch => sofa" in plain.output
    as_json = CliRunner().invoke(app, ["search-report", "--home", str(home), "-k", "1", "--json"])
    assert json.loads(as_json.output)["without_results"][0]["query"] == "zzcouch"


def test_home_without_searches_has_an_empty_report(tmp_path):
    with plait.open(tmp_path / "home") as shop:
        shop.ingest(items=ITEMS)
        report = shop.search_report()
        with pytest.raises(InputError):
            shop.search_report(k=0)
    assert (report.searches, report.synonyms) == (0, [])
