"""A bundle is whole or refused; what is in use stays until another takes its place."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from plait.errors import BundleError, NotReadyError, StorageError
from plait.pipeline.bundle import KEPT, BundleStore
from plait.pipeline.pipeline import Pipeline
from tests.pipeline.fake_stages import HERE, asked, dataset, listed, recipe

ROWS = [[1, 2, 3], [3, 4], [3, 9], [2, 3]]


@pytest.fixture
def pipeline():
    return Pipeline.build(recipe()).fit(dataset(ROWS))


@pytest.fixture
def store(tmp_path):
    return BundleStore(tmp_path / "bundles", owner="me")


@pytest.fixture
def bundle(store, pipeline):
    found = store.save(pipeline, {"why": "test"})
    store.use(found)
    return found


def rewrite(store, bundle, **changes):
    path = store.root / bundle / "manifest.json"
    found = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: one for key, one in found.items() if one is not None}))


def test_what_is_loaded_answers_as_what_was_saved(store, bundle, pipeline):
    loaded = store.load()
    queries = asked([[5], [], [1, 2]])
    assert listed(loaded.run(queries)) == listed(pipeline.run(queries))
    assert loaded.version == pipeline.version
    assert store.manifest(bundle)["notes"] == {"why": "test"}


def test_nothing_is_fitted_yet(store):
    assert store.current() == ""
    assert store.ids() == []
    with pytest.raises(NotReadyError, match="nothing is fitted"):
        store.load()


def test_every_damaged_byte_is_noticed(store, bundle):
    path = store.root / bundle / "counts" / "state.safetensors"
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(BundleError, match=r"state\.safetensors is damaged"):
            store.load()
    path.unlink()
    with pytest.raises(BundleError, match="lacks"):
        store.load()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"schema": 99}, "layout 99"),
        ({"format": "other"}, "no bundle of Plait"),
        ({"owner": "somebody"}, "another log"),
        ({"files": None}, "does not say its files"),
        ({"recipe": None}, "does not say its recipe"),
        ({"recipe": {"models": {"new": {"stage": "a.b:C"}}}}, "cannot be built: .*a.b:C"),
    ],
)
def test_a_foreign_or_newer_bundle_is_refused_with_a_reason(store, bundle, changes, reason):
    rewrite(store, bundle, **changes)
    with pytest.raises(BundleError, match=reason):
        store.load()


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null"])
def test_a_manifest_that_is_none_is_refused(store, bundle, text):
    (store.root / bundle / "manifest.json").write_text(text)
    with pytest.raises(BundleError):
        store.load()
    with pytest.raises(BundleError):
        store.use(bundle)


def test_a_current_that_names_nothing_is_refused(store, bundle):
    (store.root / "current").write_text("gone\n")
    with pytest.raises(BundleError, match="gone"):
        store.load()


def test_a_save_that_fails_leaves_nothing_and_the_old_one(store, bundle):
    torn = Pipeline.build(recipe(models={"torn": {"stage": f"{HERE}:Torn"}})).fit(dataset(ROWS))
    with pytest.raises(KeyboardInterrupt):
        store.save(torn)
    assert store.ids() == [bundle]
    assert sorted(one.name for one in store.root.iterdir()) == [bundle, "current"]
    store.load()


def test_a_full_disk_is_named_and_leaves_the_old_one(store, bundle):
    full = Pipeline.build(recipe(models={"full": {"stage": f"{HERE}:Full"}})).fit(dataset(ROWS))
    with pytest.raises(StorageError, match="No space left") as caught:
        store.save(full)
    assert "space" in caught.value.hint
    assert sorted(one.name for one in store.root.iterdir()) == [bundle, "current"]
    store.load()


def test_what_a_stage_cannot_read_is_refused_with_its_name(store):
    strands = {"older": {"stage": f"{HERE}:Older"}}
    store.use(store.save(Pipeline.build(recipe(models=strands)).fit(dataset(ROWS))))
    with pytest.raises(BundleError, match=r"older cannot read what it saved \(KeyError") as caught:
        store.load()
    assert "fit again" in caught.value.hint


def test_only_the_last_few_stay_and_the_current_one_always(store, pipeline):
    made = [store.save(pipeline) for _ in range(KEPT + 2)]
    store.use(made[0])
    assert store.ids() == [made[0], *made[-KEPT:]]
    store.use(made[-1])
    assert store.ids() == made[-KEPT:]


def test_an_old_draft_is_tidied_away_and_a_new_one_is_not(store, bundle, pipeline):
    old, new = store.root / ".draft-old", store.root / ".draft-new"
    old.mkdir()
    new.mkdir()
    os.utime(old, (0, 0))
    store.use(store.save(pipeline))
    assert not old.exists()
    assert new.exists()


KILLED = """
import sys
from pathlib import Path
from plait.pipeline.bundle import BundleStore
from plait.pipeline.pipeline import Pipeline
from tests.pipeline.fake_stages import dataset, recipe

store = BundleStore(Path(sys.argv[1]), owner="me")
pipeline = Pipeline.build(recipe()).fit(dataset([[1, 2], [2, 3]]))
print("ready", flush=True)
while True:
    store.use(store.save(pipeline))
"""


@pytest.mark.parametrize("wait", [0.0, 0.011, 0.023, 0.05])
def test_kill_during_save_leaves_a_bundle_that_loads(store, bundle, wait):
    path = os.pathsep.join(one for one in (str(Path.cwd()), *sys.path) if one)
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(store.root)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        time.sleep(wait)
        child.send_signal(signal.SIGKILL)
    assert store.current()
    assert listed(store.load().run(asked([[1]])))
    for one in store.ids():
        store.load(one)


def test_arrays_are_mapped_not_read(store, bundle):
    counts = store.load(check=False).models[0].counts
    assert not counts.flags.owndata
    np.testing.assert_array_equal(counts, np.bincount([1, 2, 3, 3, 4, 3, 9, 2, 3], minlength=10))
