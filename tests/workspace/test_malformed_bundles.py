"""A start takes the newest whole bundle and says so; a malformed one is one line, never a trace."""

import json
import shutil

import pytest

import plait
from plait.errors import BundleError, NotReadyError, RecipeError
from plait.pipeline.bundle_manifest import check_stage_paths
from plait.pipeline.bundle_store import BundleStore
from plait.pipeline.recipe import Recipe
from tests.workspace.workspace_fixtures import RECIPE, fitted

DEEP = 100_000


@pytest.fixture(scope="module")
def two_bundles(tmp_path_factory):
    """A home with two bundles, which no test may change."""
    home = tmp_path_factory.mktemp("two") / "home"
    with fitted(home) as shop:
        shop.post([{"kind": "view", "user": "late", "item": "mug1"}])
        shop.fit()
    return home


@pytest.fixture
def home(two_bundles, tmp_path):
    return shutil.copytree(two_bundles, tmp_path / "home")


def bundles_of(home):
    return sorted(path.parent for path in (home / "bundles").glob("2*/manifest.json"))


def rewrite(folder, change):
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def set_value(*keys, value):
    def change(manifest):
        for key in keys[:-1]:
            manifest = manifest[key]
        manifest[keys[-1]] = value

    return change


MALFORMED = {
    "version-text": set_value("version", value="x"),
    "version-negative": set_value("version", value=-1),
    "version-true": set_value("version", value=True),
    "recipe-list": set_value("recipe", value=[]),
    "recipe-extends": set_value("recipe", value={"extends": "default"}),
    "recipe-name": set_value("recipe", "name", value=["x"]),
    "many-candidates": set_value("recipe", "candidates_per_model", value=10**9),
    "files-list": set_value("files", value=["a"]),
    "files-outside": set_value("files", "../../key", value="0" * 64),
    "files-number": set_value("files", "popular/x", value=5),
    "notes-text": set_value("notes", value="x"),
    "items-text": set_value("notes", "items", value="x"),
    "marks-list": set_value("notes", "event_marks", value=[1]),
    "marks-names": set_value("notes", "event_marks", value={"x": "00"}),
    "made-number": set_value("made", value=5),
}


@pytest.mark.parametrize("fault", MALFORMED)
def test_malformed_manifest_is_a_problem_and_the_older_bundle_answers(home, fault):
    older, newest = bundles_of(home)
    rewrite(newest, MALFORMED[fault])
    with plait.open(home) as shop:
        assert shop.recommend("user1").bundle == older.name
        assert shop.readiness() == []
        problems = shop.info()["problems"]
        assert len(problems) == 2
        assert not any("\n" in problem for problem in problems)
        assert older.name in problems[1]
        assert len(shop.bundles()) == 2
        assert shop.rollback() == older.name
        assert shop.info()["problems"] == []


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe", b"[" * DEEP, b'{"a":' * DEEP, b"[]", b'{"version": NaN}'],
    ids=["empty", "no-text", "deep-list", "deep-object", "list", "nan"],
)
def test_unreadable_manifest_is_a_bundle_error(home, content):
    _, newest = bundles_of(home)
    (newest / "manifest.json").write_bytes(content)
    with pytest.raises(BundleError):
        BundleStore(home / "bundles").manifest(newest.name)


@pytest.mark.parametrize(
    "content", [None, b"", b"\xff\xfe\x00", b"nowhere\n", b"x" * 10_000_000, b"../key"]
)
def test_file_current_that_names_no_bundle_does_not_stop_a_start(home, content):
    current = home / "bundles" / "current"
    if content is None:
        current.unlink()
    else:
        current.write_bytes(content)
    with plait.open(home) as shop:
        assert shop.recommend("user1").bundle == bundles_of(home)[1].name
        assert len(shop.info()["problems"]) == 2
        shop.bundles()
        assert shop.rollback() == bundles_of(home)[1].name
        assert shop.info()["problems"] == []


def test_file_current_that_is_a_folder_does_not_stop_a_start(home):
    (home / "bundles" / "current").unlink()
    (home / "bundles" / "current").mkdir()
    with plait.open(home) as shop:
        assert shop.recommend("user1").items
        assert shop.info()["bundle"]["problem"]


def test_bundle_that_was_only_stored_is_no_substitute(home):
    older, newest = bundles_of(home)
    (home / "bundles" / "current").write_text(older.name)
    history = home / "bundles.jsonl"
    lines = history.read_text().splitlines()
    history.write_text("".join(line + "\n" for line in lines if newest.name not in line))
    rewrite(older, MALFORMED["version-text"])
    with plait.open(home) as shop, pytest.raises(NotReadyError):
        shop.recommend("user1")


def test_log_that_is_shorter_than_a_bundle_raises_an_alarm(home):
    older, newest = bundles_of(home)
    rewrite(newest, set_value("version", value=10_000))
    with plait.open(home) as shop:
        assert shop.recommend("user1").bundle == older.name
        vitals = shop.vitals()
        assert any("10000" in problem for problem in vitals["problems"])
        shop.fit(RECIPE)
        assert shop.vitals()["problems"] == []


def test_manifest_imports_no_module_that_is_not_allowed(home, tmp_path, monkeypatch):
    module = tmp_path / "planted.py"
    module.write_text(f"open({str(tmp_path / 'OWNED')!r}, 'w')")
    monkeypatch.syspath_prepend(str(tmp_path))
    older, newest = bundles_of(home)
    rewrite(newest, set_value("recipe", "models", "popular", "stage", value="planted:Stage"))
    with plait.open(home) as shop:
        assert shop.recommend("user1").bundle == older.name
        with pytest.raises(BundleError) as refused:
            shop.rollback(newest.name)
        assert "PLAIT_STAGE_MODULES=planted" in refused.value.hint
        with pytest.raises(RecipeError) as refused_fit:
            shop.fit()
        assert refused_fit.value.field == "stage_modules"
    assert not (tmp_path / "OWNED").exists()


@pytest.mark.parametrize(
    ("path", "modules", "is_allowed"),
    [
        ("shop.models:Own", ("shop",), True),
        ("shop.models:Own", ("shop.models",), True),
        ("shop.models:Own", ("shop.model", "sho"), False),
        ("shopping:Own", ("shop",), False),
        ("popular", (), True),
        (":Own", (), False),
    ],
)
def test_stage_path_is_allowed_by_its_module_or_package(path, modules, is_allowed):
    recipe = Recipe.of({"models": {"popular": {"stage": path}}})
    if is_allowed:
        check_stage_paths(recipe, modules, "it")
    else:
        with pytest.raises(RecipeError):
            check_stage_paths(recipe, modules, "it")
