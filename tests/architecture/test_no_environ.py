"""Only settings.py reads the environment."""

import ast

import pytest

from tests.architecture.source_tree import modules

READERS = {"environ", "environb", "getenv", "getenvb"}


def environment_reads(tree):
    """Lines that read the environment."""
    lines = []
    for node in ast.walk(tree):
        attribute = isinstance(node, ast.Attribute) and node.attr in READERS
        imported = isinstance(node, ast.ImportFrom) and node.module == "os"
        if attribute or (imported and READERS & {alias.name for alias in node.names}):
            lines.append(node.lineno)
    return lines


def test_only_the_settings_read_the_environment():
    readers = {module.name for module in modules() if environment_reads(module.tree)}
    assert readers == {"plait.settings"}


@pytest.mark.parametrize(
    "source",
    ["import os\nos.environ['A']", "from os import getenv", "import os as o\no.getenv('A')"],
)
def test_checker_detects_a_read(source):
    assert environment_reads(ast.parse(source))
