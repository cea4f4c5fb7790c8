"""Memory is checked before a run starts."""

import pytest

from plait.errors import InputError, MissingExtraError
from plait.training.memory_budget import available_bytes, require_memory, total_bytes, weight_bytes
from plait.utils.optional_imports import require_extra

GB = 2**30


def test_require_memory_names_the_setting_that_needs_most():
    require_memory({"dim": GB, "batch": GB}, "training", available=3 * GB)
    with pytest.raises(InputError) as error:
        require_memory({"dim": GB, "batch": 3 * GB}, "training", available=3 * GB)
    assert error.value.field == "batch"
    assert error.value.hint == "make batch smaller"


def test_require_memory_hints_at_what_to_do_about_a_setting():
    with pytest.raises(InputError) as error:
        require_memory({"dim": GB}, "training", available=1, hints={"dim": "halve it"})
    assert error.value.hint == "halve it"


def test_require_memory_compares_with_the_machine_by_default():
    assert available_bytes() > 2**20
    with pytest.raises(InputError):
        require_memory({"dim": 2**60}, "training")


def test_weight_bytes_with_an_average_are_more():
    assert weight_bytes(1000) > weight_bytes(1000, ema=False) >= 16_000


def test_available_bytes_count_cached_pages_of_a_container_as_free(tmp_path):
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


def test_total_bytes_are_divided_among_local_processes(tmp_path, monkeypatch):
    (tmp_path / "memory.max").write_text(str(2**30))
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert total_bytes(tmp_path) == 2**28


def test_require_extra_names_the_extra_that_is_missing():
    require_extra("nothing", "json")
    with pytest.raises(MissingExtraError) as error:
        require_extra("the stage `x`", "json", "no_such_module")
    assert "plait[deep]" in str(error.value)
