"""What a run will take is said before it starts."""

import pytest

from plait.errors import InputError, MissingExtraError
from plait.training.memory_budget import available_bytes, require_memory, total_bytes, weight_bytes
from plait.utils.optional_imports import require_extra

GB = 2**30


def test_what_fits_passes_and_what_does_not_names_the_setting():
    require_memory({"dim": GB, "batch": GB}, "training", room=3 * GB)
    with pytest.raises(InputError, match=r"about 4.0 GB of memory.* 3.0 GB.*batch alone") as it:
        require_memory({"dim": GB, "batch": 3 * GB}, "training", room=3 * GB)
    assert it.value.field == "batch"
    assert it.value.hint == "make batch smaller"


def test_there_is_memory_and_weights_take_some():
    assert available_bytes() > 2**20
    assert weight_bytes(1000) > weight_bytes(1000, average=False) >= 16_000
    with pytest.raises(InputError):
        require_memory({"dim": 2**60}, "training")


def test_a_container_is_not_full_of_what_it_gives_back(tmp_path):
    files = {"memory.max": 4 * GB, "memory.current": 4 * GB - 2**20}
    for name, size in files.items():
        (tmp_path / name).write_text(f"{size}\n")
    (tmp_path / "memory.stat").write_text("anon 9\nactive_file 10\ninactive_file 20\n")
    assert available_bytes(tmp_path) == 2**20 + 30
    assert total_bytes(tmp_path) == 4 * GB
    (tmp_path / "memory.stat").write_text(f"anon 9\ninactive_file {5 * GB}\n")
    assert available_bytes(tmp_path) <= 4 * GB
    (tmp_path / "memory.max").write_text("max\n")
    assert total_bytes(tmp_path) == total_bytes(tmp_path / "nowhere") > 4 * GB


def test_processes_that_share_a_machine_share_its_memory(tmp_path, monkeypatch):
    (tmp_path / "memory.max").write_text(str(2**30))
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert total_bytes(tmp_path) == 2**28


def test_a_missing_part_is_named_in_one_line():
    require_extra("nothing", "json")
    with pytest.raises(MissingExtraError) as it:
        require_extra("the stage `x`", "json", "no_such_module")
    assert str(it.value) == 'the stage `x` needs an optional part (pip install "plait[deep]")'
