"""Commands print through `plait.cli.output`, which makes control characters visible."""

import ast

import pytest

from tests.architecture.source_tree import modules

PRINTERS = {"print", "echo", "secho", "write", "Console", "add_row", "add_column"}
SAFE = {"cli/output.py", "cli/main.py"}


def prints(source):
    """The lines that print, or build a table, by themselves."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else None
            name = function.id if isinstance(function, ast.Name) else name
            is_method = isinstance(function, ast.Attribute)
            if name in PRINTERS and not (name == "write" and "file" in ast.dump(function)):
                if name == "add_row" and not is_method:
                    continue
                yield node.lineno


@pytest.mark.parametrize(
    "module",
    [module for module in modules() if "/cli/" in module.path.as_posix()],
    ids=str,
)
def test_command_prints_through_the_output_module(module):
    if not any(module.path.as_posix().endswith(name) for name in SAFE):
        assert not list(prints(module.text))


def test_checker_detects_a_bare_print():
    assert list(prints("print(1)"))
    assert list(prints("import sys\nsys.stdout.write('a')"))
    assert list(prints("table.add_row('a')"))
    assert not list(prints("print_lines('a')\nadd_row(table, ('a',))"))
