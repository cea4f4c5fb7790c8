"""One snapshot of the message and the hint of every error that Plait raises.

Tests elsewhere compare the code, the field or a value of an error, never its English. After a
message has been changed on purpose:

    python -m tests.messages.test_messages --update
"""

import ast
import sys
from pathlib import Path

from plait import errors
from tests.architecture.source_tree import functions, modules

SNAPSHOT = Path(__file__).with_name("messages.txt")
ERRORS = {
    name
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, errors.PlaitError)
}
PLACEHOLDER = "{...}"


def template(node, assigned):
    """The text of an expression, with a placeholder for what is only known when it runs.

    `assigned` are the expressions that the function assigns to its variables, by name.
    """
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(template(value, {}) for value in values)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return template(left, assigned) + template(right, assigned)
        case ast.IfExp(body=body, orelse=orelse):
            return " | ".join(template(branch, assigned) for branch in (body, orelse))
        case ast.Name(id=name) if len(assigned.get(name, ())) == 1:
            return template(assigned[name][0], {})
        case _:
            return PLACEHOLDER


def assignments(function):
    """The expressions assigned to each variable of a function."""
    values = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            values.setdefault(node.targets[0].id, []).append(node.value)
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            values.setdefault(node.target.id, []).extend([node.value, node.value])
    return values


def error_calls(tree):
    """Every call that makes an error, with the assignments of the innermost function around it."""
    calls = {}
    for scope in (tree, *functions(tree)):  # outer functions come first, inner ones replace them
        assigned = {} if scope is tree else assignments(scope)
        for node in ast.walk(scope):
            match node:
                case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in ERRORS:
                    calls[node] = (name, assigned)
    return sorted(calls.items(), key=lambda entry: (entry[0].lineno, entry[0].col_offset))


def messages(tree):
    """Lines for the errors of one module: the class and the message, then the hint if any."""
    for call, (name, assigned) in error_calls(tree):
        words = {word.arg: word.value for word in call.keywords}
        message = call.args[0] if call.args else words.get("message")
        if message is not None:
            yield f"  {name}: {template(message, assigned)}"
            if "hint" in words:
                yield f"    hint: {template(words['hint'], assigned)}"


def snapshot():
    """The messages of all modules, by module."""
    lines = []
    for module in modules():
        texts = list(messages(module.tree))
        lines += [module.name, *texts] if texts else []
    return "\n".join(lines) + "\n"


def test_messages_are_those_of_the_snapshot():
    assert snapshot() == SNAPSHOT.read_text(encoding="utf-8")


def test_collector_reads_messages_hints_and_variables():
    source = """
def check(k, other):
    text = f"k is {k!r}, " + "not a number"
    if other:
        raise InputError(text, hint="give one" if k else f"give {other}", field="k")
    raise errors.RecipeError(describe(k))
"""
    assert list(messages(ast.parse(source))) == [
        "  InputError: k is {...}, not a number",
        "    hint: give one | give {...}",
        "  RecipeError: {...}",
    ]


if __name__ == "__main__":
    if "--update" in sys.argv:
        SNAPSHOT.write_text(snapshot(), encoding="utf-8")
    else:
        print(snapshot(), end="")
