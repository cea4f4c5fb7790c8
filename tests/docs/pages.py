"""Runs the code blocks of a documentation page, in order, as a reader would.

Python and shell blocks of a page become one program that runs in an empty folder. Comments of the
page steer it:

    <!-- not run: REASON -->    the next block is a fragment
    <!-- file: NAME -->         the next block is a file that later blocks import
"""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

from tests.architecture.source_tree import ROOT

BLOCK = re.compile(
    r"(?:^[ ]*<!-- (?P<rule>not run|file): (?P<value>.+?) -->\n)?"
    r"^(?P<indent>[ ]*)```(?P<language>python|sh|bash)\n(?P<code>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
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
        if match["language"] in languages:
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


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


def run_page(page, folder, languages=("python", "sh"), setup=""):
    """Run the blocks of a page in a folder; the output of a failed one is in the error."""
    script = folder / "page.py"
    text = (ROOT / page).read_text(encoding="utf-8")
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
