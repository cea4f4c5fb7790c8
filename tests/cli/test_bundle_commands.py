"""A home remembers its recipe; bundles are listed, rolled back and taken to other homes."""

import json
import shutil
import sqlite3

import pytest

import plait as library
from plait.errors import BundleError, NotFoundError, RecipeError
from plait.pipeline.recipe import Recipe, load_recipe
from plait.pipeline.recipe_writer import recipe_toml
from plait.settings import Settings
from tests.cli.run_command import plait
from tests.workspace.workspace_fixtures import RECIPE, fill, fitted


@pytest.fixture(scope="module")
def two_bundles(tmp_path_factory):
    """A home with two bundles, which no test may change."""
    home = tmp_path_factory.mktemp("two") / "home"
    with fitted(home) as workspace:
        workspace.post([{"kind": "view", "user": "late", "item": "mug1"}])
        workspace.fit()
    return home


@pytest.fixture
def home(two_bundles, tmp_path):
    return shutil.copytree(two_bundles, tmp_path / "home")


def manifests(home):
    paths = sorted((home / "bundles").glob("2*/manifest.json"))
    return [json.loads(path.read_text()) for path in paths]


def test_fit_without_a_recipe_takes_that_of_the_bundle_in_use(tmp_path, run):
    fill(tmp_path)
    own = tmp_path / "own.toml"
    own.write_text(recipe_toml(RECIPE).replace('name = "toy"', 'name = "mine-alone"'))
    assert run("fit", "--home", tmp_path, "--recipe", own)[0] == 0
    own.unlink()  # the content lies with the bundle
    code, out, _ = run("fit", "--home", tmp_path)
    assert code == 0
    assert out.startswith("recipe: mine-alone (")
    first, second = manifests(tmp_path)
    assert first["recipe"] == second["recipe"]


def test_a_shipped_recipe_is_remembered_by_its_name(tmp_path):
    fill(tmp_path)
    with library.open(tmp_path) as workspace:
        workspace.fit("search")
        assert workspace.recipe_of_next_fit().shipped == "search"
        assert workspace.recipe_of_next_fit().recipe == load_recipe("search")


def test_the_setting_recipe_goes_before_the_bundle_and_after_the_option(home):
    (home / "own.toml").write_text('extends = "search"\nname = "of-the-setting"\n')
    (home / "plait.toml").write_text('recipe = "own.toml"\n')
    with library.open(home) as workspace:
        assert workspace.recipe_of_next_fit().recipe.name == "of-the-setting"
        assert workspace.recipe_of_next_fit("search").recipe.name == "search"
        assert workspace.recipe_of_next_fit(RECIPE).recipe is RECIPE
    (home / "plait.toml").write_text('recipe = "gone.toml"\n')
    with library.open(home) as workspace, pytest.raises(RecipeError):
        workspace.fit()


def test_a_home_without_a_bundle_starts_with_the_default(tmp_path):
    with library.open(tmp_path) as workspace:
        assert workspace.recipe_of_next_fit().shipped == "default"


def test_an_unreadable_recipe_is_refused_and_not_replaced(home, run):
    current = (home / "bundles" / "current").read_text().strip()
    path = home / "bundles" / current / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": 1}))
    code, _, err = run("fit", "--home", home)
    assert code == 2
    assert "plait fit --recipe" in err
    with library.open(home) as workspace, pytest.raises(RecipeError) as error:
        workspace.fit()
    assert error.value.field == "recipe"


def test_bundles_lists_what_there_is(home, run):
    with library.open(home) as workspace:
        workspace.erase_user("user3")
    listed = json.loads(run("bundles", "--home", home, "--json")[1])
    assert [entry["live"] for entry in listed] == [False, True]
    assert [entry["recipe"] for entry in listed] == ["toy", "toy"]
    assert [entry["erased_since"] for entry in listed] == [1, 1]
    assert [entry["events"] for entry in listed] == [160, 161]
    assert all(entry["bytes"] > 1000 for entry in listed)
    _, table, _ = run("bundles", "--home", home)
    assert all(entry["id"] in table for entry in listed)


def test_rollback_answers_with_the_bundle_before_and_records_it(home, run):
    first, second = (manifest["id"] for manifest in manifests(home))
    assert run("rollback", "--home", home)[1] == f"bundle: {first}\n"
    with library.open(home) as workspace:
        assert workspace.recommend().bundle == first
        with pytest.raises(NotFoundError):
            workspace.rollback()
        with pytest.raises(NotFoundError):
            workspace.rollback("20200101T000000000000-abcdef")
        assert workspace.rollback(second) == second
        assert workspace.recommend().bundle == second
    entries = [json.loads(line) for line in (home / "bundles.jsonl").read_text().splitlines()]
    reasons = [(entry["bundle"], entry["reason"]) for entry in entries[-2:]]
    assert reasons == [(first, "rollback"), (second, "rollback")]
    assert entries[-2]["previous"] == second


def test_rollback_to_a_damaged_bundle_changes_nothing(home, run):
    first, second = manifests(home)
    name = next(iter(first["files"]))
    (home / "bundles" / first["id"] / name).write_bytes(b"damaged")
    assert run("rollback", "--home", home)[0] == 2
    assert (home / "bundles" / "current").read_text().strip() == second["id"]


def test_how_many_bundles_stay_is_a_setting(home):
    with library.open(home, keep_bundles=2) as workspace:
        newest = workspace.fit()
        assert [entry["id"] for entry in workspace.bundles()][1:] == [newest]
    with library.open(home, keep_bundles=5) as workspace:
        workspace.fit()
        workspace.fit()
        assert len(workspace.bundles()) == 4


def copy_of_the_log(home, target):
    """A second machine: the same log, no bundles."""
    target.mkdir()
    with sqlite3.connect(home / "plait.db") as log, sqlite3.connect(target / "plait.db") as copy:
        log.backup(copy)
    return target


def test_a_bundle_goes_to_a_second_machine_through_a_pipe(home, tmp_path):
    second = copy_of_the_log(home, tmp_path / "second")
    with library.open(home) as workspace:
        workspace.search("lamp")  # a process that uses a bundle leaves lock files in it
    archive = plait("bundle", "export", "--home", home, "-", text=False).stdout
    taken = plait("bundle", "import", "--home", second, "-", stdin=archive, text=False)
    assert taken.returncode == 0
    with library.open(home) as first_shop, library.open(second) as second_shop:
        assert first_shop.recommend("user1").ids == second_shop.recommend("user1").ids
        assert second_shop.info()["problems"] == []
        assert second_shop.recommend().bundle == first_shop.recommend().bundle


def test_a_copied_bundle_may_wait_for_its_use(home, tmp_path, run):
    second = copy_of_the_log(home, tmp_path / "second")
    first, newest = (manifest["id"] for manifest in manifests(home))
    _, out, _ = run("bundle", "copy", "--home", home, "--to", second, "--id", first, "--no-use")
    assert out == f"bundle: {first}\n"
    assert not (second / "bundles" / "current").exists()
    for _ in range(2):  # the second time it is there already
        assert run("bundle", "copy", "--home", home, "--to", second)[0] == 0
    assert (second / "bundles" / "current").read_text().strip() == newest
    assert run("rollback", "--home", second)[1] == f"bundle: {first}\n"


@pytest.mark.parametrize("other", ["items", "users", "shorter"])
def test_a_bundle_of_another_log_is_refused(home, tmp_path, other, run):
    second = tmp_path / "second"
    if other == "shorter":
        fill(second)  # without the last event
    else:
        with library.open(second) as workspace:
            fields = {"title": "x"}
            for number in range(10):
                workspace.put_item(f"{'other' if other == 'items' else 'lamp'}{number}", fields)
            for number in range(10):
                workspace.put_item(f"mug{number}", fields)
            workspace.post(
                [{"kind": "view", "user": f"other{n}", "item": "mug1"} for n in range(200)]
            )
    code, _, err = run("bundle", "copy", "--home", home, "--to", second)
    assert code == 2
    assert "another log" in err
    assert list((second / "bundles").iterdir()) == []


def test_a_damaged_archive_is_refused(home, tmp_path, run):
    second = copy_of_the_log(home, tmp_path / "second")
    path = tmp_path / "bundle.tar"
    assert run("bundle", "export", "--home", home, path)[0] == 0
    whole = path.read_bytes()
    middle = len(whole) // 2
    flipped = bytes(byte ^ 255 for byte in whole[middle : middle + 64])
    damaged = (b"", b"nonsense", whole[:-20_000], whole[:middle] + flipped + whole[middle + 64 :])
    for archive in damaged:
        path.write_bytes(archive)
        with library.open(second) as workspace, pytest.raises(BundleError), path.open("rb") as file:
            workspace.import_bundle(file)
    assert list((second / "bundles").iterdir()) == []


def test_a_failed_bundle_export_leaves_no_file(home, tmp_path, run):
    path = tmp_path / "bundle.tar"
    assert run("bundle", "export", "--home", home, path, "--id", "nothing")[0] == 2
    assert [entry.name for entry in tmp_path.iterdir()] == ["home"]


def test_recipes_survive_the_manifest():
    assert Recipe.of(json.loads(json.dumps(RECIPE.to_dict()))) == RECIPE
    assert Settings().keep_bundles == 3
