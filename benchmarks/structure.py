"""Figures about the structure of the source: sizes, names, forwarders, imports, docstrings.

    python benchmarks/structure.py                    the figures of src/plait
    python benchmarks/structure.py --list fillers     where they come from
    python benchmarks/structure.py --list sections src/plait/data

Lists: fillers, single-use, forwarders, sections.
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FILLERS = frozenset(
    ["one", "found", "told", "said", "mine", "theirs", "given", "there", "kept", "wanted"]
)
"""Names that say nothing about what they hold."""

Function = ast.FunctionDef | ast.AsyncFunctionDef
SECTION = re.compile(r"^\s*(Args|Returns|Yields|Raises|Attributes):\s*$", re.MULTILINE)


def python_files(folders: list[Path]) -> list[Path]:
    """Every Python file below the folders, migrations apart."""
    files = (path for folder in folders for path in sorted(folder.rglob("*.py")))
    return [path for path in files if "migrations" not in path.parts]


def code_lines(source: str) -> int:
    """Lines that hold code: no docstrings, comments or blanks."""
    skipped = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
    docstrings: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            docstrings.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in skipped and token.type != tokenize.ENDMARKER:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - docstrings)


def bindings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name of everything that a file binds: variables, arguments, imports, functions."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()):
                yield node.lineno, name
            case ast.arg(arg=name):
                yield node.lineno, name
            case ast.ImportFrom(module=module, names=aliases):
                hypothesis = "given" if module == "hypothesis" else None
                imported = [alias.asname or alias.name for alias in aliases]
                yield from ((node.lineno, name) for name in imported if name != hypothesis)
            case ast.Import(names=aliases):
                yield from ((node.lineno, alias.asname or alias.name) for alias in aliases)
            case ast.ExceptHandler(name=str(name)):
                yield node.lineno, name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield node.lineno, name
            case ast.MatchAs(name=str(name)):
                yield node.lineno, name


def functions(tree: ast.AST) -> Iterator[Function]:
    """Every function and method."""
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def body_of(function: Function) -> list[ast.stmt]:
    """The statements behind the docstring."""
    first, *rest = function.body
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return rest if documented else function.body


def is_forwarder(function: Function) -> bool:
    """Whether a function only passes all of its own arguments on, unchanged, to another one.

    Properties, special methods and what a decorator registers (a command, a route) do not count.
    """
    statements = body_of(function)
    if len(statements) != 1 or function.decorator_list or function.name.startswith("__"):
        return False
    value = getattr(statements[0], "value", None)
    value = value.value if isinstance(value, ast.Await) else value
    if not isinstance(statements[0], ast.Return | ast.Expr) or not isinstance(value, ast.Call):
        return False
    arguments = function.args
    own = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    own = [name for name in own if name not in ("self", "cls")]
    own += [a.arg for a in (arguments.vararg, arguments.kwarg) if a]
    passed = [a.value if isinstance(a, ast.Starred) else a for a in value.args]
    passed += [keyword.value for keyword in value.keywords]
    names = [a.id for a in passed if isinstance(a, ast.Name)]
    return len(names) == len(passed) and bool(own) and sorted(names) == sorted(own)


def lacks_sections(function: Function) -> bool:
    """Whether a public function has parameters or a result that its docstring does not list."""
    text = ast.get_docstring(function) or ""
    sections = set(SECTION.findall(text))
    arguments = function.args
    names = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    names = [name for name in names if name not in ("self", "cls")]
    names += [a.arg for a in (arguments.vararg, arguments.kwarg) if a]
    if names and "Args" not in sections:
        return True
    return any(not re.search(rf"^\s+\*{{0,2}}{name}\b.*:", text, re.MULTILINE) for name in names)


def public_functions(tree: ast.Module) -> Iterator[tuple[str, Function]]:
    """Functions named in `__all__`, and public methods that classes named there define.

    A method that overrides one of another class of Plait, or of a protocol, inherits its text; it
    needs none of its own and counts only if it has one.
    """
    exported: set[str] = set()
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and target.id == "__all__":
            exported = set(ast.literal_eval(node.value))
    for node in tree.body:
        if isinstance(node, Function) and node.name in exported:
            yield node.name, node
        if isinstance(node, ast.ClassDef) and node.name in exported:
            for method in node.body:
                if isinstance(method, Function) and not method.name.startswith("_"):
                    is_property = any(
                        "property" in ast.unparse(decorator) for decorator in method.decorator_list
                    )
                    if not is_property and ast.get_docstring(method):
                        yield f"{node.name}.{method.name}", method


def measure(folders: list[Path]) -> tuple[dict[str, int], dict[str, list[str]]]:
    """The figures, and for each list where its entries are."""
    figures = Counter[str]()
    where: dict[str, list[str]] = {
        "fillers": [],
        "single-use": [],
        "forwarders": [],
        "sections": [],
    }
    for path in python_files(folders):
        source = path.read_text(encoding="utf-8")
        tree = ast.parse(source)
        place = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        figures["files"] += 1
        figures["code lines"] += code_lines(source)
        for line, name in bindings(tree):
            if name in FILLERS:
                where["fillers"].append(f"{place}:{line} {name}")
        words = Counter(re.findall(r"\b\w+\b", source))
        for function in functions(tree):
            figures["functions"] += 1
            statements = body_of(function) or function.body
            short = (function.end_lineno or 0) - statements[0].lineno + 1 <= 3
            private = function.name.startswith("_") and not function.name.endswith("_")
            if private and short and not function.decorator_list and words[function.name] == 2:
                where["single-use"].append(f"{place}:{function.lineno} {function.name}")
            if is_forwarder(function):
                where["forwarders"].append(f"{place}:{function.lineno} {function.name}")
        for name, function in public_functions(tree):
            figures["public functions"] += 1
            if lacks_sections(function):
                where["sections"].append(f"{place}:{function.lineno} {name}")
    figures.update({name: len(entries) for name, entries in where.items()})
    return dict(figures), where


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--list", choices=("fillers", "single-use", "forwarders", "sections"))
    parser.add_argument("folders", nargs="*", type=Path, default=[ROOT / "src" / "plait"])
    options = parser.parse_args()
    figures, where = measure([folder.resolve() for folder in options.folders])
    if options.list:
        print("\n".join(where[options.list]))
    elif options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:<20}{value:>8}")


if __name__ == "__main__":
    main()
