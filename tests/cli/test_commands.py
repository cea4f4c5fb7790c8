"""The commands as a shell runs them: what they print, where, and with which exit status."""

import json
import os
import signal
import subprocess
import sys
import tomllib
from contextlib import suppress

import pytest

import plait
from plait.cli.demo import MARK, empty_demo_home
from plait.cli.output import NO_SCORE, score_text
from plait.errors import ConflictError
from plait.pipeline.recipe import Recipe, load_recipe, recipe_names
from plait.utils.progress_bars import bars, line_reporter
from tests.workspace.workspace_fixtures import RECIPE, fitted

QUERIES = (["recommend", "--user", "u"], ["recommend"], ["search", "lamp"], ["similar", "--item=a"])
COMMANDS = (*QUERIES, ["fit"], ["info"], ["evaluate", "--protocol", "time"])


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("shop")
    with fitted(home) as workspace:
        title = "[/b] a [red]lamp[/red] with a title of many, many words for a terminal " * 2
        workspace.put_item("lamp0", {"title": title})
    return home


def test_version_option_prints_the_version(run):
    assert run("--version") == (0, f"plait {plait.__version__}\n", "")


def test_recipe_copy_is_a_recipe_of_its_own_name(run, tmp_path):
    target = tmp_path / "mine.toml"
    assert run("recipe", "copy", "news", target)[0] == 0
    copied, shipped = load_recipe(target), load_recipe("news")
    assert (copied.name, copied.models, copied.steps) == ("mine", shipped.models, shipped.steps)
    assert run("recipe", "copy", "default", target)[0] == 2
    assert load_recipe(target) == copied


def test_recipe_list_and_show_print_the_shipped_recipes(run):
    _, listed, _ = run("recipe", "list")
    assert [line.split()[0] for line in listed.splitlines()] == recipe_names()
    for name in recipe_names():
        assert tomllib.loads(run("recipe", "show", name)[1])["description"] in listed
    assert run("recipe", "show", "none")[0] == 2


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_command_without_a_home_fails_and_makes_none(run, tmp_path, command):
    (tmp_path / "empty").mkdir()
    for home in (tmp_path / "none", tmp_path / "empty"):
        code, out, err = run(*command, "--home", home)
        assert (code, out) == (2, "")
        assert err.startswith(f"plait: there is no home at {home}\n")
        assert f"plait ingest --home {home}" in err
    assert [path.name for path in tmp_path.rglob("*")] == ["empty"]


def test_ingest_into_a_file_fails(run, tmp_path):
    path = tmp_path / "events.csv"
    path.write_text("user,item\nu,a\n")
    code, out, err = run("ingest", "--home", path, "--events", path)
    assert (code, out) == (2, "")
    assert err.startswith(f"plait: {path} ")
    assert path.read_text() == "user,item\nu,a\n"


@pytest.mark.parametrize("command", QUERIES, ids=" ".join)
def test_query_before_the_first_fit_fails(run, tmp_path, command):
    with plait.open(tmp_path) as workspace:
        workspace.ingest(items=[{"item": "a", "title": "a lamp"}])
    code, out, err = run(*command, "--home", tmp_path)
    assert (code, out) == (2, "")
    assert "plait fit" in err


def test_fit_of_an_empty_log_fails(run, tmp_path):
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
        (
            [{"user": "u", "item": item, "time": 1_600_000_000 + n} for n, item in enumerate("ab")],
            [],
        ),
    ],
    ids=["only items", "one event", "one user"],
)
def test_queries_answer_on_a_tiny_log(run, tmp_path, events, items):
    with plait.open(tmp_path) as workspace:
        workspace.ingest(events=events or None, items=items or None)
        workspace.fit()
    for command in QUERIES:
        code, out, err = run(*command, "--home", tmp_path)
        assert (code, err) == (0, "")
        assert out.startswith(("no items", " item"))
    code, _, err = run("similar", "--home", tmp_path, "--item", "nobody")
    assert code == 2
    assert "'nobody'" in err


def test_recommend_says_no_items_if_all_were_seen(run, tmp_path):
    with plait.open(tmp_path) as workspace:
        workspace.ingest(events=[{"user": "u", "item": "a", "time": 1_600_000_000}])
        workspace.fit(RECIPE)
    code, out, _ = run("recommend", "--home", tmp_path, "--user", "u")
    assert code == 0
    assert out.startswith("no items: ")


def test_table_in_a_pipe_has_one_line_an_item(run, home):
    with plait.open(home) as workspace:
        title = workspace.title("lamp0")
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


def test_json_option_prints_one_document(run, home, tmp_path):
    code, out, err = run("recommend", "--home", home, "--user", "user0", "--json")
    assert (code, err) == (0, "")
    assert {"request_id", "bundle", "items"} <= json.loads(out).keys()
    path = tmp_path / "[odd].csv"  # brackets are markup to what draws the bars
    path.write_text("user,item,time\nu,lamp1,2024-01-01\nu,lamp1,never\n")
    code, out, err = run("ingest", "--home", tmp_path / "other", "--events", path, "--json")
    assert (code, err) == (0, "")
    counts = json.loads(out)["events"]
    assert (counts["stored"], counts["rejected"]) == (1, 1)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["recommend", "-k", "0"], "k"),
        (["recommend", "--filter", "price <"], "price <"),
        (["search", ""], "text"),
        (["fit", "--recipe", "nosuch"], "'nosuch'"),
        (["fit", "--recipe", "nosuch.toml"], "'nosuch.toml'"),
        (["ingest"], "--events"),
        (["ingest", "--events", "nosuch.csv"], "nosuch.csv"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_argument_is_one_line_that_names_it(run, home, arguments, named):
    code, out, err = run(*arguments, "--home", home)
    assert (code, out) == (2, "")
    first, *hints = err.splitlines()
    assert first.startswith("plait: ")
    assert named in err
    assert all(line.startswith("       ") for line in hints)


def test_bars_print_nothing_for_short_work_without_a_terminal(capsys):
    with bars() as advance:
        advance("[x]", 1, 2)
    assert capsys.readouterr().err == ""


def test_line_reporter_prints_the_progress_of_long_work(capsys):
    advance = line_reporter(interval=0.0)
    advance("fit · loss 0.5", 3, 40)
    advance("events.csv", 1_000_000, 0)
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith(" s: fit · loss 0.5: 3 of 40")
    assert second.endswith(" s: events.csv: 1,000,000")


def test_ingest_interrupted_keeps_what_was_stored(tmp_path):
    """Ctrl-C while a file is read: status 130, one line, and what was stored is there."""
    events = tmp_path / "events.csv"
    os.mkfifo(events)
    command = [sys.executable, "-m", "plait", "ingest", "--home", str(tmp_path / "home")]
    command += ["--events", str(events)]
    rows = "".join(f"u{n},i{n % 9},{1_600_000_000 + n}\n" for n in range(10_000)).encode()
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        with suppress(BrokenPipeError), events.open("wb", buffering=0) as out:
            out.write(b"user,item,time\n")
            for _ in range(120):  # a pipe holds little: with the last the first blocks are stored
                out.write(rows)
            process.send_signal(signal.SIGINT)
            for _ in range(400):  # until the reader has closed the pipe
                out.write(rows)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    last = err.decode().splitlines()[-1]  # a slow machine writes lines of progress before
    assert last == "plait: interrupted; what was stored before is intact"
    with plait.open(tmp_path / "home") as workspace:
        assert workspace.info()["interactions"] > 100_000


@pytest.mark.parametrize("option", ["--json", "--html"])
def test_result_without_a_folder_fails_before_the_run(run, home, tmp_path, option):
    target = tmp_path / "none" / "result"
    code, out, err = run("evaluate", "--home", home, "--protocol", "leave-one-out", option, target)
    assert (code, out) == (2, "")
    assert err.startswith(f"plait: {target} ")
    assert f"mkdir -p {target.parent}" in err
    assert not (home / "runs").exists()
    code, out, err = run("tune", "--home", home, "--trials", 1, "--out", target)
    assert (code, out) == (2, "")
    assert err.startswith(f"plait: {target} ")
    assert not (home / "tune").exists()


@pytest.mark.parametrize("option", ["--html", "--png"])
def test_plots_without_matplotlib_fail_before_the_run(home, tmp_path, option):
    hide = "import sys; sys.modules['matplotlib'] = None; from plait.cli.main import main; main()"
    command = [sys.executable, "-c", hide, "evaluate", "--home", str(home)]
    command += ["--protocol", "leave-one-out", option, str(tmp_path / "plots")]
    completed = subprocess.run(command, capture_output=True, text=True)
    assert (completed.returncode, completed.stdout) == (2, "")
    assert 'pip install "plait[report]"' in completed.stderr
    assert not (home / "runs").exists()


def test_demo_home_is_emptied_and_other_folders_are_refused(tmp_path):
    home = tmp_path / "demo-home"
    with empty_demo_home(home):
        with plait.open(home) as workspace:
            workspace.put_item("a", {"title": "lamp"})
        (home / "bundles").mkdir(exist_ok=True)
        with pytest.raises(ConflictError), empty_demo_home(home):
            pass
    with empty_demo_home(home):
        assert [path.name for path in home.iterdir()] == [MARK]
    folder = tmp_path / "shop"
    plait.open(folder).close()
    before = sorted(folder.iterdir())
    for other in (folder, next(path for path in before if path.is_file())):
        with pytest.raises(ConflictError), empty_demo_home(other):
            pass
    assert sorted(folder.iterdir()) == before


def test_ingest_fails_if_every_row_was_rejected(run, tmp_path):
    path = tmp_path / "events.csv"
    path.write_text("user,item,time\nu,lamp1,never\nu,lamp2,soon\n")
    code, out, err = run("ingest", "--home", tmp_path / "home", "--events", path)
    assert code == 2
    assert "row 1, time" in out
    assert err.startswith("plait: ")
    assert "2 of 2" in err
