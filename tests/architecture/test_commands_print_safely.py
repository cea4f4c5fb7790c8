"""Commands print through `plait.cli.output`, which makes control characters visible."""

import ast

from tests.architecture.source_tree import modules

PRINTERS = {"print", "echo", "secho", "write", "Console", "add_row", "add_column"}
SAFE = {"plait.cli.output", "plait.cli.main"}


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


def test_commands_print_through_the_output_module():
    commands = [module for module in modules() if module.name.startswith("plait.cli.")]
    lines = {module.name: list(prints(module.text)) for module in commands}
    assert {*lines} > SAFE
    assert not {name: printing for name, printing in lines.items() if printing and name not in SAFE}


def test_checker_detects_a_bare_print():
    assert list(prints("print(1)"))
    assert list(prints("import sys\nsys.stdout.write('a')"))
    assert list(prints("table.add_row('a')"))
    assert not list(prints("print_lines('a')\nadd_row(table, ('a',))"))
