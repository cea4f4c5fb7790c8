"""Only settings.py reads the environment."""

import ast

import pytest

from tests.architecture.source_tree import modules

READERS = {"environ", "environb", "getenv", "getenvb"}


def environment_reads(source):
    """Lines that read the environment."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        attribute = isinstance(node, ast.Attribute) and node.attr in READERS
        imported = isinstance(node, ast.ImportFrom) and node.module == "os"
        if attribute or (imported and READERS & {alias.name for alias in node.names}):
            lines.append(node.lineno)
    return lines


@pytest.mark.parametrize("module", modules(), ids=str)
def test_module_does_not_read_the_environment(module):
    if module.name != "plait.settings":
        assert not environment_reads(module.text)


@pytest.mark.parametrize(
    "source",
    ["import os\nos.environ['A']", "from os import getenv", "import os as o\no.getenv('A')"],
)
def test_checker_detects_a_read(source):
    assert environment_reads(source)
