"""Routes, commands, options, settings, stage configs and modules have documentation."""

import ast
import dataclasses
import importlib
import re

from tests.architecture.source_tree import DOCS, ROOT, doc, public_modules, sections

SELF_EXPLAINING = {"--help", "--install-completion", "--show-completion"}


def plain_path(path):
    """A path without the names of its parameters: `/v1/items/{}`."""
    return re.sub(r"\{[^}]*\}", "{}", path)


def test_every_route_is_documented():
    routes = importlib.import_module("plait.server.http.app").routes_table()
    matches = re.findall(r"\b(GET|PUT|POST|PATCH|DELETE) (/[\w/{}.-]*)", doc("http-api.md"))
    documented = {(method, plain_path(path)) for method, path in matches}
    served = {(method.upper(), plain_path(path)) for method, path in routes}
    assert served
    assert not served - documented, "served, but not in docs/http-api.md"
    assert not documented - served, "in docs/http-api.md, but not served"


def commands():
    """Each command by its full name, with those of groups."""
    from typer.main import get_command

    waiting = [("plait", get_command(importlib.import_module("plait.cli.main").app))]
    while waiting:
        name, command = waiting.pop()
        subcommands = getattr(command, "commands", {})
        waiting += [(f"{name} {word}", command) for word, command in subcommands.items()]
        if not subcommands:
            yield name, command


def missing_options(command, text):
    """Options and arguments of a command that its section does not name."""
    for parameter in command.params:
        flags = [flag for flag in parameter.opts if flag.startswith("-")]
        names = [flag for flag in flags if flag.startswith("--")] or flags or [parameter.name]
        for name in names:
            if name not in SELF_EXPLAINING and f"`{name}" not in text:
                yield name


def test_every_command_and_option_is_documented():
    texts = sections(doc("cli.md"))
    named = dict(commands())
    assert named
    assert not set(named) - set(texts), "commands without a section in docs/cli.md"
    missing = {name: list(missing_options(command, texts[name])) for name, command in named.items()}
    assert not {name: options for name, options in missing.items() if options}


def test_every_setting_is_documented():
    from plait.settings import Settings

    text = doc("operations.md")
    names = [field.name for field in dataclasses.fields(Settings)]
    missing = [name for name in names if f"`{name}`" not in text]
    assert not missing


def test_every_field_of_a_stage_config_is_documented():
    stages = importlib.import_module("plait.pipeline.registry").load_all_stages()
    assert stages
    texts = sections(doc("recipes.md"))
    missing = []
    for name, stage in stages.items():
        text = texts.get(name, "")
        missing += [] if text else [f"a section {name}"]
        names = [field.name for field in dataclasses.fields(stage.Config)]
        missing += [f"{name}: `{field}`" for field in names if f"`{field}`" not in text]
    assert not missing, "not in docs/recipes.md"


def public_nodes(module):
    """The module, and the functions and classes of its `__all__`, as syntax trees by name."""
    yield module.name, module.tree
    public = importlib.import_module(module.name).__all__
    definitions = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    for node in module.tree.body:
        if isinstance(node, definitions) and node.name in public:
            yield f"{module.name}.{node.name}", node


def test_every_public_name_has_a_docstring():
    nodes = [entry for module in public_modules() for entry in public_nodes(module)]
    assert not [name for name, node in nodes if not ast.get_docstring(node)]


def reference_pages():
    """The package that each page of the API reference shows, by the path of the page."""
    return {
        path.relative_to(DOCS).as_posix(): re.findall(
            r"^::: ([\w.]+)$", path.read_text(encoding="utf-8"), re.MULTILINE
        )
        for path in sorted((DOCS / "reference").glob("*.md"))
    }


def test_every_public_module_is_on_a_reference_page():
    """A page of a package shows its modules, down to every name of their `__all__`."""
    shown = [name for names in reference_pages().values() for name in names]
    assert len(shown) == len(set(shown))
    packages = {".".join(module.name.split(".")[:2]) for module in public_modules()}
    assert packages - {"plait.__main__"} == set(shown)


def test_every_reference_page_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert not [page for page in reference_pages() if f": {page}\n" not in navigation]


def test_the_house_of_the_design_names_every_package_and_no_module_that_is_gone():
    tree = doc("design.md").partition("```\nsrc/plait/\n")[2].partition("```")[0]
    listed = [line for line in tree.splitlines() if line.startswith(" " * 15)]
    words = {
        word.strip("/").rpartition("/")[2]
        for line in [*listed, *re.findall(r"^  (\w+)/", tree, re.MULTILINE)]
        if "to come: " not in line
        for word in line.split()
    }
    package = ROOT / "src" / "plait"
    folders = {path.parent.name for path in package.rglob("*.py")} - {"plait"}
    stems = {path.stem for path in package.rglob("*.py")}
    assert not folders - words, "folders that docs/design.md does not list"
    assert not words - stems - {path.name for path in package.rglob("*") if path.is_dir()}
