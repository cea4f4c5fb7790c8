"""The documentation builds strictly, without a network, and shows every public name."""

import ast
import importlib
import os
import re
import subprocess
import sys

import pytest

from tests.architecture.source_tree import ROOT, public_modules


@pytest.fixture(scope="module")
def shown_names(tmp_path_factory):
    """The full names of all objects on the pages of the API reference."""
    site = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", site]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    pages = (site / "reference").rglob("index.html")
    return {
        name
        for page in pages
        for name in re.findall(r'id="(plait[\w.]*)"', page.read_text(encoding="utf-8"))
    }


def defined_names(tree):
    """The names that a module binds itself; those that it imports are shown in their own module."""
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.ClassDef(name=name):
                yield name
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                yield name


def test_reference_shows_every_public_name(shown_names):
    missing = [
        f"{module.name}.{name}"
        for module in public_modules()
        for name in set(defined_names(module.tree))
        & set(importlib.import_module(module.name).__all__)
        if f"{module.name}.{name}" not in shown_names
    ]
    assert not missing


def test_reference_shows_parameters_of_a_command(shown_names):
    assert "plait.cli.evaluate.evaluate" in shown_names
    assert "plait.cli.evaluation_options.EvaluationOptions.test_days" in shown_names
