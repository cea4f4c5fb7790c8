"""What lies at a path, also at one that no file system can have."""

import os

import pytest

from plait.utils.path_kind import path_kind


def test_path_kind_tells_files_folders_and_pipes_apart(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "pipe")
    kinds = {name: path_kind(tmp_path / name) for name in ("", "file", "link", "pipe", "absent")}
    assert kinds == {
        "": "folder",
        "file": "file",
        "link": "file",
        "pipe": "other",
        "absent": "nothing",
    }


@pytest.mark.parametrize("name", ["x" * 5000, "nul\0", "file/inside", "\ud800"])
def test_path_kind_is_nothing_where_no_path_can_be(tmp_path, name):
    (tmp_path / "file").write_text("")
    assert path_kind(tmp_path / name) == "nothing"
