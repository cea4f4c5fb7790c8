"""Folders of saved models that others made: damaged in any part, with hashes that fit."""

import json
import shutil

import pytest

import plait
from plait import models
from plait.errors import BundleError
from plait.pipeline.bundle_files import file_hash

DEEP = "[" * 100_000
DEEP_OBJECT = '{"a":' * 100_000


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "popular"
    train = plait.Dataset.from_arrays(["ann", "ann", "bob"], ["lamp", "mug", "lamp"])
    models.Popular().fit(train).save(folder)
    return folder


def damaged(saved, tmp_path, name, content):
    """A copy of the folder in which a file has other content, and the hash of it."""
    folder = shutil.copytree(saved, tmp_path / "copy")
    (folder / name).write_bytes(content)
    manifest = json.loads((folder / "model.json").read_text())
    manifest["files"][name] = file_hash(folder / name)
    (folder / "model.json").write_text(json.dumps(manifest))
    return folder


def parts(saved):
    return sorted(json.loads((saved / "model.json").read_text())["files"])


@pytest.mark.parametrize("text", [DEEP, DEEP_OBJECT, "", "[]", "\0", "\ud800"])
def test_a_malformed_manifest_is_refused(saved, tmp_path, text):
    folder = shutil.copytree(saved, tmp_path / "copy")
    (folder / "model.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(BundleError):
        models.load(folder)


@pytest.mark.parametrize("content", [DEEP.encode(), DEEP_OBJECT.encode(), b"", b"[]", b"\xff"])
def test_a_malformed_part_is_refused(saved, tmp_path, content):
    for name in parts(saved):
        with pytest.raises(BundleError):
            models.load(damaged(saved, tmp_path / name.replace("/", "-"), name, content))


@pytest.mark.parametrize(
    "header",
    [
        DEEP.encode(),
        b'{"a":{"dtype":"F32","shape":[9999999999],"data_offsets":[0,4]}}',
        b'{"a":{"dtype":"F32","shape":[-1,0],"data_offsets":[0,4]}}',
        b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[-99,1e9]}}',
        b'{"a":{"dtype":"O","shape":[1],"data_offsets":[0,8]}}',
    ],
)
def test_arrays_with_a_malformed_header_are_refused(saved, tmp_path, header):
    name = next(name for name in parts(saved) if name.endswith(".safetensors"))
    content = len(header).to_bytes(8, "little") + header + bytes(64)
    with pytest.raises(BundleError):
        models.load(damaged(saved, tmp_path, name, content))


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "a/../../b"])
def test_files_outside_the_folder_are_not_read(saved, tmp_path, name):
    folder = shutil.copytree(saved, tmp_path / "copy")
    manifest = json.loads((folder / "model.json").read_text())
    manifest["files"][name] = "0" * 64
    (folder / "model.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="names the file"):
        models.load(folder)
