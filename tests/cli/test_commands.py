"""The commands as a shell runs them: what they print, where, and with which exit status."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress

import pytest

import plait
from plait.cli.demo import MARK, _own
from plait.cli.main import main
from plait.cli.options import NO_SCORE, score_text
from plait.cli.progress import _lines, bars
from plait.errors import ConflictError
from plait.pipeline.recipe import Recipe
from tests.workspace.workspace_fixtures import RECIPE, fitted

ASKING = (["recommend", "--user", "u"], ["recommend"], ["search", "lamp"], ["similar", "--item=a"])
ALL = (*ASKING, ["fit"], ["info"], ["evaluate", "--protocol", "time"])


@pytest.fixture
def run(monkeypatch, capsys):
    """Run `plait` with arguments: exit status, stdout, stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["plait", *map(str, arguments)])
        try:
            main()
        except SystemExit as leaving:
            code = leaving.code
        else:
            code = 0
        out, err = capsys.readouterr()
        return code or 0, out, err

    return run


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("shop")
    with fitted(home) as shop:
        title = "[/b] a [red]lamp[/red] with a title of many, many words for a terminal " * 2
        shop.put_item("lamp0", {"title": title})
    return home


def test_the_version(run):
    assert run("--version") == (0, f"plait {plait.__version__}\n", "")


@pytest.mark.parametrize("command", ALL, ids=" ".join)
def test_where_there_is_no_home_none_is_made(run, tmp_path, command):
    (tmp_path / "empty").mkdir()
    for home in (tmp_path / "none", tmp_path / "empty"):
        code, out, err = run(*command, "--home", home)
        assert (code, out) == (2, "")
        assert err.startswith(f"plait: there is no home at {home}\n")
        assert f"plait ingest --home {home}" in err
    assert [one.name for one in tmp_path.rglob("*")] == ["empty"]


def test_a_file_is_no_home(run, tmp_path):
    path = tmp_path / "events.csv"
    path.write_text("user,item\nu,a\n")
    code, _, err = run("ingest", "--home", path, "--events", path)
    assert code == 2
    assert "is no folder" in err


@pytest.mark.parametrize("command", ASKING, ids=" ".join)
def test_before_the_first_fit(run, tmp_path, command):
    with plait.open(tmp_path) as shop:
        shop.ingest(items=[{"item": "a", "title": "a lamp"}])
    code, out, err = run(*command, "--home", tmp_path)
    assert (code, out) == (2, "")
    assert "nothing is fitted yet" in err
    assert "plait fit" in err


def test_an_empty_log_has_nothing_to_fit_on(run, tmp_path):
    plait.open(tmp_path).close()
    code, _, err = run("fit", "--home", tmp_path)
    assert code == 2
    assert "plait ingest" in err
    code, out, _ = run("info", "--home", tmp_path)
    assert code == 0
    assert json.loads(out)["items"] == 0


@pytest.mark.parametrize(
    ("events", "items"),
    [
        ([], [{"item": "a", "title": "a lamp"}]),
        ([{"user": "u", "item": "a", "time": 1_600_000_000}], []),
        ([{"user": "u", "item": one, "time": 1_600_000_000 + n} for n, one in enumerate("ab")], []),
    ],
    ids=["only items", "one event", "one user"],
)
def test_a_small_home_answers(run, tmp_path, events, items):
    with plait.open(tmp_path) as shop:
        shop.ingest(events=events or None, items=items or None)
        shop.fit()
    for command in ASKING:
        code, out, err = run(*command, "--home", tmp_path)
        assert (code, err) == (0, "")
        assert out.startswith(("no items: ", " item"))
    code, _, err = run("similar", "--home", tmp_path, "--item", "nobody")
    assert code == 2
    assert "'nobody'" in err


def test_who_has_seen_everything_is_told_so(run, tmp_path):
    with plait.open(tmp_path) as shop:
        shop.ingest(events=[{"user": "u", "item": "a", "time": 1_600_000_000}])
        shop.fit(RECIPE)
    code, out, _ = run("recommend", "--home", tmp_path, "--user", "u")
    assert code == 0
    assert out.startswith("no items: ")


def test_in_a_pipe_every_item_is_one_line_as_it_is_called(run, home):
    with plait.open(home) as shop:
        title = shop.title("lamp0")
    code, out, err = run("search", "--home", home, title, "-k", "3")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) == 4
    assert any(title.strip() in line for line in lines)


def test_recommend_prints_a_dash_for_an_item_without_a_score(run, tmp_path):
    """A pinned item that the only model does not know has a rank and no score."""
    models = {"neighbours": {}}
    steps = {"fuse": {}, "rules": {"pins": ["lamp0"]}, "policy": {}, "explain": {}}
    with plait.open(tmp_path) as workspace:
        workspace.ingest(
            events=[{"user": "u", "item": item, "time": 1_600_000_000} for item in "ab"],
            items=[{"item": "lamp0", "title": "a lamp"}],
        )
        workspace.fit(Recipe.of({"name": "pinned", "models": models, "steps": steps}))
    code, out, err = run("recommend", "--home", tmp_path, "--user", "unknown")
    assert (code, err) == (0, "")
    header, row = out.splitlines()
    assert header.split() == ["item", "title", "score", "why"]
    assert row.split()[:4] == ["lamp0", "a", "lamp", NO_SCORE]
    code, out, err = run("recommend", "--home", tmp_path, "--user", "unknown", "--json")
    assert (code, err) == (0, "")
    assert [(item["id"], item["score"]) for item in json.loads(out)["items"]] == [("lamp0", None)]


@pytest.mark.parametrize(
    ("score", "format_spec", "text"),
    [(0.5, ".4f", "0.5000"), (None, ".4f", NO_SCORE), (None, "6.2f", f"     {NO_SCORE}")],
)
def test_score_text_keeps_the_width_without_a_score(score, format_spec, text):
    assert score_text(score, format_spec) == text


def test_json_is_one_document_and_nothing_else(run, home, tmp_path):
    code, out, err = run("recommend", "--home", home, "--user", "user0", "--json")
    assert (code, err) == (0, "")
    assert {"request_id", "bundle", "items"} <= json.loads(out).keys()
    path = tmp_path / "[odd].csv"  # brackets are markup to what draws the bars
    path.write_text("user,item,time\nu,lamp1,2024-01-01\nu,lamp1,never\n")
    code, out, err = run("ingest", "--home", tmp_path / "other", "--events", path, "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)["events"]
    assert (told["stored"], told["rejected"]) == (1, 1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["recommend", "-k", "0"], "k is 0"),
        (["recommend", "--filter", "price <"], "does not parse"),
        (["search", ""], "text is empty"),
        (["fit", "--recipe", "nosuch"], "no recipe 'nosuch'"),
        (["fit", "--recipe", "nosuch.toml"], "no recipe 'nosuch.toml'"),
        (["ingest"], "nothing to ingest"),
        (["ingest", "--events", "nosuch.csv"], "no file nosuch.csv"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else "",
)
def test_what_is_wrong_is_said_in_one_line(run, home, arguments, said):
    code, out, err = run(*arguments, "--home", home)
    assert (code, out) == (2, "")
    assert said in err.splitlines()[0]
    assert "Traceback" not in err


def test_no_bar_where_nobody_looks(capsys):
    with bars() as advance:
        advance("[x]", 1, 2)
    assert capsys.readouterr().err == ""


def test_long_jobs_say_how_far_they_are_where_no_bar_is_drawn(capsys):
    advance = _lines(every=0.0)
    advance("fit · loss 0.5", 3, 40)
    advance("events.csv", 1_000_000, 0)
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith(" s: fit · loss 0.5: 3 of 40")
    assert second.endswith(" s: events.csv: 1,000,000")


def test_interrupted_in_the_middle(tmp_path):
    """Ctrl-C while a file is read: status 130, one line, and what was stored is there."""
    events = tmp_path / "events.csv"
    os.mkfifo(events)
    command = [sys.executable, "-m", "plait", "ingest", "--home", str(tmp_path / "home")]
    command += ["--events", str(events)]
    rows = "".join(f"u{n},i{n % 9},{1_600_000_000 + n}\n" for n in range(10_000)).encode()
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        with suppress(BrokenPipeError), events.open("wb", buffering=0) as out:
            out.write(b"user,item,time\n")
            for _ in range(40):  # a pipe holds little: with the last the first blocks are stored
                out.write(rows)
            process.send_signal(signal.SIGINT)
            for _ in range(400):  # until nobody reads any more
                out.write(rows)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.decode() == "plait: interrupted; what was stored before is intact\n"
    with plait.open(tmp_path / "home") as shop:
        assert shop.info()["interactions"] > 100_000


@pytest.mark.parametrize("option", ["--json", "--html"])
def test_a_result_without_a_folder_is_refused_before_the_run(run, home, tmp_path, option):
    where = tmp_path / "none" / "result"
    code, out, err = run("evaluate", "--home", home, "--protocol", "leave-one-out", option, where)
    assert (code, out) == (2, "")
    assert err.startswith(f"plait: {where} cannot be written: there is no folder")
    assert not (home / "runs").exists()
    code, out, err = run("tune", "--home", home, "--trials", 1, "--out", where)
    assert (code, out) == (2, "")
    assert err.startswith(f"plait: {where} cannot be written")
    assert not (home / "tune").exists()


@pytest.mark.parametrize("option", ["--html", "--png"])
def test_plots_that_cannot_be_drawn_are_refused_before_the_run(home, tmp_path, option):
    hide = "import sys; sys.modules['matplotlib'] = None; from plait.cli.main import main; main()"
    asked = ["evaluate", "--home", home, "--protocol", "leave-one-out", option, tmp_path / "plots"]
    found = subprocess.run(
        [sys.executable, "-c", hide, *map(str, asked)], capture_output=True, text=True
    )
    assert (found.returncode, found.stdout) == (2, "")
    assert 'pip install "plait[report]"' in found.stderr
    assert not (home / "runs").exists()


def test_a_demonstration_begins_anew_and_touches_no_other_folder(tmp_path):
    home = tmp_path / "demo-home"
    with _own(home):
        with plait.open(home) as shop:
            shop.put_item("a", {"title": "lamp"})
        (home / "bundles").mkdir(exist_ok=True)
        with pytest.raises(ConflictError, match="another demonstration"), _own(home):
            pass
    with _own(home):
        assert [one.name for one in home.iterdir()] == [MARK]
    shop = tmp_path / "shop"
    plait.open(shop).close()
    before = sorted(shop.iterdir())
    for other in (shop, next(one for one in before if one.is_file())):
        with pytest.raises(ConflictError, match="not the home of a demonstration"), _own(other):
            pass
    assert sorted(shop.iterdir()) == before


def test_a_file_of_which_nothing_is_taken_is_a_failure(run, tmp_path):
    path = tmp_path / "events.csv"
    path.write_text("user,item,time\nu,lamp1,never\nu,lamp2,soon\n")
    code, out, err = run("ingest", "--home", tmp_path / "home", "--events", path)
    assert code == 2
    assert "row 1, time" in out
    assert "every row of events was refused: 2 of 2" in err
