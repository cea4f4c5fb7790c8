"""A route, command, option, setting or stage config without documentation fails here."""

import ast
import dataclasses
import importlib
import re

import pytest

from tests.architecture.source_tree import doc, public_modules, sections

SELF_EXPLAINING = {"--help", "--install-completion", "--show-completion"}


def plain_path(path):
    """A path without the names of its parameters: `/v1/items/{}`."""
    return re.sub(r"\{[^}]*\}", "{}", path)


def test_routes_are_documented():
    routes = importlib.import_module("plait.server.http.app").routes_table()
    found = re.findall(r"\b(GET|PUT|POST|PATCH|DELETE) (/[\w/{}.-]*)", doc("http-api.md"))
    written = {(method, plain_path(path)) for method, path in found}
    served = {(method.upper(), plain_path(path)) for method, path in routes}
    assert served
    assert not served - written, "served, but not in docs/http-api.md"
    assert not written - served, "in docs/http-api.md, but not served"


def commands():
    """Each command by its full name, with those of groups."""
    from typer.main import get_command

    waiting = [("plait", get_command(importlib.import_module("plait.cli.main").app))]
    while waiting:
        name, command = waiting.pop()
        below = getattr(command, "commands", {})
        waiting += [(f"{name} {part}", one) for part, one in below.items()]
        if not below:
            yield name, command


def missing_options(command, text):
    """Options and arguments of a command that its section does not name."""
    for parameter in command.params:
        flags = [flag for flag in parameter.opts if flag.startswith("-")]
        names = [flag for flag in flags if flag.startswith("--")] or flags or [parameter.name]
        for name in names:
            if name not in SELF_EXPLAINING and f"`{name}" not in text:
                yield name


def test_commands_are_documented():
    written = sections(doc("cli.md"))
    found = dict(commands())
    assert found
    assert not set(found) - set(written), "commands without a section in docs/cli.md"
    missing = {name: list(missing_options(one, written[name])) for name, one in found.items()}
    assert not {name: options for name, options in missing.items() if options}


def test_settings_are_documented():
    from plait.settings import Settings

    text = doc("operations.md")
    missing = [one.name for one in dataclasses.fields(Settings) if f"`{one.name}`" not in text]
    assert not missing


def test_stage_configs_are_documented():
    stages = importlib.import_module("plait.pipeline.registry").load_all_stages()
    assert stages
    written = sections(doc("recipes.md"))
    missing = []
    for name, stage in stages.items():
        text = written.get(name, "")
        missing += [] if text else [f"a section {name}"]
        fields = [one.name for one in dataclasses.fields(stage.Config)]
        missing += [f"{name}: `{one}`" for one in fields if f"`{one}`" not in text]
    assert not missing, "not in docs/recipes.md"


@pytest.mark.parametrize("module", public_modules(), ids=str)
def test_what_is_offered_has_a_docstring(module):
    tree = module.tree
    assert ast.get_docstring(tree), f"{module.name} has no docstring"
    offered = set(getattr(importlib.import_module(module.name), "__all__", ()))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    own = [node for node in tree.body if isinstance(node, kinds) and node.name in offered]
    assert not [node.name for node in own if not ast.get_docstring(node)]
