"""`--language` of the commands that answer, and titles that could steer a terminal."""

import json
import sys

import pytest

import plait
from plait.cli.main import main


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("languages")
    items = [
        {"item": name, "title": f"{name} mug\x1b[2J\u202e", "category": "mugs"} for name in "abcde"
    ]
    events = [
        {"user": f"u{n}", "item": item, "kind": "purchase", "time": 1_700_000_000 + n}
        for n in range(4)
        for item in "abcd"[: n + 1]
    ]
    with plait.open(folder) as workspace:
        workspace.ingest(items=items, events=events)
        workspace.fit("search")
    return folder


def printed(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["plait", *map(str, arguments)])
    with pytest.raises(SystemExit) as leaving:
        main()
    out, err = capsys.readouterr()
    return leaving.value.code or 0, out, err


@pytest.mark.parametrize(
    "command", [["recommend", "--user", "u1"], ["search", "mug"], ["similar", "--item", "a"]]
)
def test_commands_write_reasons_in_a_language(monkeypatch, capsys, home, command):
    arguments = [command[0], "--home", home, *command[1:], "--json"]
    texts = {}
    for language in ("en", "zh"):
        code, out, _ = printed(monkeypatch, capsys, *arguments, "--language", language)
        assert code == 0
        reasons = [r for item in json.loads(out)["items"] for r in item["reasons"]]
        texts[language] = {reason["text"] for reason in reasons}
    assert texts["en"]
    assert not texts["en"] & texts["zh"]
    code, _, err = printed(monkeypatch, capsys, *arguments, "--language", "xx")
    assert code != 0
    assert "language" in err or "reasons" in err


def test_table_has_no_control_characters(monkeypatch, capsys, home):
    code, out, _ = printed(monkeypatch, capsys, "similar", "--home", home, "--item", "a")
    assert code == 0
    assert "mug" in out
    assert not set(out) & set("\x1b\u202e")
