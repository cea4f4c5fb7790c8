"""Only settings.py reads the environment."""

import ast

import pytest

from tests.architecture.source_tree import modules

READERS = {"environ", "environb", "getenv", "getenvb"}


def readings(source):
    """Lines that reach for the environment."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        attribute = isinstance(node, ast.Attribute) and node.attr in READERS
        imported = isinstance(node, ast.ImportFrom) and node.module == "os"
        if attribute or (imported and READERS & {one.name for one in node.names}):
            lines.append(node.lineno)
    return lines


@pytest.mark.parametrize("module", modules(), ids=str)
def test_environment_is_left_alone(module):
    if module.name != "plait.settings":
        assert not readings(module.text)


@pytest.mark.parametrize(
    "source",
    ["import os\nos.environ['A']", "from os import getenv", "import os as o\no.getenv('A')"],
)
def test_checker_sees_a_reading(source):
    assert readings(source)
