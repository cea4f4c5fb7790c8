"""Runs the code blocks of a documentation page, in order, as a reader would.

Python and shell blocks of a page become one program that runs in an empty folder. Comments of the
page steer it:

    <!-- not run: REASON -->    the next block is a fragment
    <!-- file: NAME -->         the next block is a file that later blocks read

A `text` block right behind a block is what that block prints. `python -m tests.docs.pages PAGE`
runs a page and writes its output into these blocks.
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.architecture.source_tree import ROOT

BLOCK = re.compile(
    r"(?:^[ ]*<!-- (?P<rule>not run|file): (?P<value>.+?) -->\n)?"
    r"^(?P<indent>[ ]*)```(?P<language>python|sh|bash|toml)\n(?P<code>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
OUTPUT = re.compile(r"\n+```text\n(?P<lines>.*?)^```$", re.MULTILINE | re.DOTALL)
VARYING = re.compile(
    r"--cursor \S+|\bimport [0-9a-f]{8}\b|\b\d{8}T\d+-[0-9a-f]+"  # cursors, imports, bundles
    r"|\d{4}-\d\d-\d\d[T ][\d:.+]+Z?|-?\d+\.\d+|\d+ (?:s|MB|KB)\b"
)
"""What differs from run to run or from machine to machine: names of bundles, seconds, scores."""
PORT = "8000"
"""The port that pages name; it is replaced by a free one."""

PRELUDE = """
import subprocess as _subprocess

def _shell(script):
    _subprocess.run(["bash", "-euo", "pipefail", "-c", script], check=True)
"""


def blocks(text, languages=("python", "sh")):
    """`(language, rule, value, code)` of every block of a page in one of the languages."""
    for match in BLOCK.finditer(text):
        if match["language"] in languages or match["rule"] == "file":
            code = "\n".join(
                line.removeprefix(match["indent"]) for line in match["code"].splitlines()
            )
            yield match["language"], match["rule"], match["value"], code


def program(text, port, languages=("python", "sh"), setup=""):
    """The Python program that runs a page; `setup` stands before its first block."""
    steps = [PRELUDE, setup]
    for number, (language, rule, value, code) in enumerate(blocks(text, languages), 1):
        if rule == "not run":
            continue
        steps.append(f"print('-- block {number}', flush=True)")
        if rule == "file":
            steps.append(f"open({value!r}, 'w').write({code!r})")
        elif language == "python":
            steps.append(code)
        else:
            steps.append(f"_shell({code.replace(PORT, port)!r})")
    return "\n".join(steps)


def printed(output):
    """What each block of a page printed, by its number."""
    parts = re.split(r"^-- block (\d+)\n", output, flags=re.MULTILINE)
    return {int(number): text for number, text in zip(parts[1::2], parts[2::2], strict=True)}


def expected_outputs(text, languages=("python", "sh")):
    """`(number, match)` of every block of a page that is followed by what it prints."""
    number = 0
    for match in BLOCK.finditer(text):
        if match["language"] in languages or match["rule"] == "file":
            number += 1
            if output := OUTPUT.match(text, match.end()):
                yield number, output


def without_varying(text):
    """The lines of an output, without what varies and without the padding of columns."""
    return [re.sub(r"\s+", " ", VARYING.sub("*", line)).strip() for line in text.splitlines()]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


def run_page(page, folder, languages=("python", "sh"), setup=""):
    """Run the blocks of a page in a folder; the output of a failed one is in the error."""
    script = folder / "page.py"
    text = (ROOT / page).read_text(encoding="utf-8")
    (folder / "examples").symlink_to(ROOT / "examples")
    script.write_text(program(text, free_port(), languages, setup), encoding="utf-8")
    programs = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(folder)]),
    }
    completed = subprocess.run(
        [sys.executable, str(script)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert completed.returncode == 0, completed.stdout
    return completed.stdout


def write_outputs(page):
    """Run a page and write what its blocks print into the page."""
    with tempfile.TemporaryDirectory() as folder:
        outputs = printed(run_page(page, Path(folder)))
    path = ROOT / page
    text = path.read_text(encoding="utf-8")
    for number, match in reversed(list(expected_outputs(text))):
        text = text[: match.start("lines")] + outputs[number] + text[match.end("lines") :]
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        write_outputs(argument)
