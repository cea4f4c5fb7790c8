"""A bundle is complete or refused; the current one stays until another replaces it."""

import errno
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
from plait.pipeline.bundle_store import KEPT, BundleStore
from plait.pipeline.pipeline import Pipeline
from tests.pipeline.fake_stages import HERE, asked, dataset, listed, recipe

ROWS = [[1, 2, 3], [3, 4], [3, 9], [2, 3]]


@pytest.fixture
def pipeline():
    return Pipeline.build(recipe()).fit(dataset(ROWS))


@pytest.fixture
def store(tmp_path):
    return BundleStore(tmp_path / "bundles", stage_modules=("tests", "a"))


@pytest.fixture
def bundle(store, pipeline):
    bundle_id = store.save(pipeline, {"why": "test"})
    store.use(bundle_id)
    return bundle_id


def rewrite_manifest(store, bundle, **changes):
    path = store.root / bundle / "manifest.json"
    manifest = {**json.loads(path.read_text()), **changes}
    path.write_text(
        json.dumps({key: value for key, value in manifest.items() if value is not None})
    )


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_loaded_pipeline_answers_like_the_saved_one(store, bundle, pipeline):
    loaded = store.load()
    queries = asked([[5], [], [1, 2]])
    assert listed(loaded.run(queries)) == listed(pipeline.run(queries))
    assert loaded.version == pipeline.version
    assert store.manifest(bundle)["notes"] == {"why": "test"}


def test_store_without_bundles_is_not_ready(store):
    assert store.current() == ""
    assert store.ids() == []
    with pytest.raises(NotReadyError):
        store.load()


def test_every_damaged_byte_is_detected(store, bundle):
    path = store.root / bundle / "counts" / "state.safetensors"
    content = path.read_bytes()
    for position in range(0, len(content), 7):
        flipped = bytes([content[position] ^ 1])
        path.write_bytes(content[:position] + flipped + content[position + 1 :])
        with pytest.raises(BundleError) as failure:
            store.load()
        assert path.name in failure.value.message
    path.unlink()
    with pytest.raises(BundleError) as failure:
        store.load()
    assert path.name in failure.value.message


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"schema": 99}, "99"),
        ({"format": "other"}, "bundle of Plait"),
        ({"files": None}, "'files'"),
        ({"recipe": None}, "'recipe'"),
        ({"recipe": {"models": {"new": {"stage": "a.b:C"}}}}, "a.b:C"),
    ],
)
def test_bundle_of_another_kind_or_version_is_refused_with_the_reason(
    store, bundle, changes, fault
):
    rewrite_manifest(store, bundle, **changes)
    with pytest.raises(BundleError) as failure:
        store.load()
    assert fault in failure.value.message


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null"])
def test_unreadable_manifest_is_refused(store, bundle, text):
    (store.root / bundle / "manifest.json").write_text(text)
    with pytest.raises(BundleError):
        store.load()
    with pytest.raises(BundleError):
        store.use(bundle)


def test_current_bundle_that_does_not_exist_is_refused(store, bundle):
    (store.root / "current").write_text("gone\n")
    with pytest.raises(BundleError) as failure:
        store.load()
    assert "gone" in failure.value.message


def test_interrupted_save_leaves_only_the_old_bundle(store, bundle):
    torn = Pipeline.build(recipe(models={"torn": {"stage": f"{HERE}:Torn"}})).fit(dataset(ROWS))
    with pytest.raises(KeyboardInterrupt):
        store.save(torn)
    assert store.ids() == [bundle]
    assert names_in(store.root) == [bundle, "current"]
    store.load()


def test_full_disk_is_a_storage_error_and_leaves_the_old_bundle(store, bundle):
    full = Pipeline.build(recipe(models={"full": {"stage": f"{HERE}:Full"}})).fit(dataset(ROWS))
    with pytest.raises(StorageError) as failure:
        store.save(full)
    assert os.strerror(errno.ENOSPC) in failure.value.message
    assert names_in(store.root) == [bundle, "current"]
    store.load()


def test_stage_that_cannot_read_its_files_is_named(store):
    models = {"older": {"stage": f"{HERE}:Older"}}
    store.use(store.save(Pipeline.build(recipe(models=models)).fit(dataset(ROWS))))
    with pytest.raises(BundleError) as failure:
        store.load()
    assert "older" in failure.value.message
    assert isinstance(failure.value.__cause__, KeyError)
    assert "fit again" in failure.value.hint


def test_only_the_last_bundles_and_the_current_one_stay(store, pipeline):
    ids = [store.save(pipeline) for _ in range(KEPT + 2)]
    store.use(ids[0])
    assert store.ids() == [ids[0], *ids[-KEPT:]]
    store.use(ids[-1])
    assert store.ids() == ids[-KEPT:]


def test_old_draft_is_removed_and_a_new_one_stays(store, bundle, pipeline):
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
from plait.pipeline.bundle_store import BundleStore
from plait.pipeline.pipeline import Pipeline
from tests.pipeline.fake_stages import dataset, recipe

store = BundleStore(Path(sys.argv[1]), stage_modules=("tests",))
pipeline = Pipeline.build(recipe()).fit(dataset([[1, 2], [2, 3]]))
print("ready", flush=True)
while True:
    store.use(store.save(pipeline))
"""


@pytest.mark.parametrize("wait", [0.0, 0.011, 0.023, 0.05])
def test_kill_during_save_leaves_a_bundle_that_loads(store, bundle, wait):
    path = os.pathsep.join(filter(None, (str(Path.cwd()), *sys.path)))
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
    for bundle_id in store.ids():
        store.load(bundle_id)


def test_arrays_are_mapped_not_read(store, bundle):
    counts = store.load(check=False).models[0].counts
    assert not counts.flags.owndata
    np.testing.assert_array_equal(counts, np.bincount([1, 2, 3, 3, 4, 3, 9, 2, 3], minlength=10))
