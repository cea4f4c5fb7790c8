"""The tables of docs/datasets.md, by the very commands that stand there.

    python benchmarks/datasets.py --data FOLDER [--only deskdrop,ml-100k] [--recipe default]
        [--protocol time] [--work FOLDER] [--write]

Runs the `plait ingest` and `plait evaluate` lines of each section and prints the table and the
notes below it; with `--write` they take the place of those in the page. Homes stay in `--work`.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "datasets.md"
METRICS = ("recall@10", "ndcg@10")
TABLE = re.compile(r"\| protocol \| row \|.*?(?=\s*\Z)", re.DOTALL)


def commands(section: str) -> list[list[str]]:
    """The `plait` commands of a section, in words."""
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", section, re.DOTALL))
    lines = blocks.replace("\\\n", " ").splitlines()
    return [shlex.split(line)[1:] for line in lines if line.startswith("plait ")]


def option(words: list[str], name: str) -> str:
    return words[words.index(name) + 1] if name in words else ""


def run(words: list[str], given: argparse.Namespace, more: tuple[str, ...] = ()) -> None:
    words = [one.replace("$DATA", str(given.data.resolve())) for one in words]
    words[words.index("--home") + 1] = str(given.work / option(words, "--home"))
    command = [sys.executable, "-m", "plait", *words, *more]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{shlex.join(words)}\n{done.stderr}")


def measured(section: str, given: argparse.Namespace) -> list[dict]:
    """The reports of a section, one for each `plait evaluate` line."""
    found = []
    for words in commands(section):
        if words[0] == "ingest":
            run(words, given)
        elif words[0] == "evaluate" and given.protocol in ("", option(words, "--protocol")):
            path = given.work / "report.json"
            run(words, given, ("--recipe", given.recipe, "--json", str(path)))
            found.append(json.loads(path.read_text()))
    return found


def label(report: dict) -> str:
    protocol = report["protocol"]
    days = protocol["test_days"]
    return f"{protocol['name']}, {days:g} days" if days else protocol["name"]


def row(first: str, result: dict) -> str:
    cells = (
        f"{one['value']:.4f} [{one['low']:.4f}, {one['high']:.4f}]"
        for one in (result["metrics"][name] for name in METRICS)
    )
    return f"| {first} | `{result['model']}` | {' | '.join(cells)} |"


def rows(report: dict) -> list[str]:
    """The fused answer, the best single strand, and popular-recent."""
    by_name = {one["model"]: one for one in report["results"]}
    own = [one for one in report["results"] if not one["baseline"] and one["model"] != "fused"]
    best = max(own, key=lambda one: one["metrics"]["ndcg@10"]["value"])
    chosen = [by_name["fused"], best, by_name["popular-recent"]]
    return [row("" if place else label(report), one) for place, one in enumerate(chosen)]


def note(report: dict) -> str:
    """What was asked, and the flags that were raised."""
    data, protocol = report["data"], report["protocol"]
    raised = [f"`{one['name']}`" for one in report["flags"] if one["raised"]]
    kept = {"remove": "removed", "keep": "kept"}[protocol["seen"]]
    excluded = data["excluded"]
    out = f", {excluded:,} targets excluded because the user had seen them" if excluded else ""
    text = (
        f"- {label(report)}: {data['queries']:,} queries with {data['targets']:,} targets among "
        f"{data['items']:,} items, fitted on {data['train']:,} of {data['interactions']:,} events; "
        f"seen items {kept}{out}. {'Flags: ' + ', '.join(raised) if raised else 'No flag'}."
    )
    return textwrap.fill(text, 118, subsequent_indent="  ", break_on_hyphens=False)


def table(reports: list[dict]) -> str:
    head = "| protocol | row | " + " | ".join(METRICS) + " |\n|---|---|" + "---|" * len(METRICS)
    lines = [line for one in reports for line in rows(one)]
    return "\n".join([head, *lines, "", *(note(one) for one in reports)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", default="", help="homes, with commas between")
    parser.add_argument("--recipe", default="default")
    parser.add_argument("--protocol", default="")
    parser.add_argument("--work", type=Path, default=ROOT / ".cache" / "datasets")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    given.work = given.work.resolve()
    wanted = set(given.only.split(",")) - {""}
    for section in re.split(r"(?=^## )", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE):
        homes = {option(words, "--home") for words in commands(section)}
        if not TABLE.search(section) or (wanted and not homes & wanted):
            continue
        reports = measured(section, given)
        if not reports:
            continue
        found = table(reports)
        print(section.splitlines()[0], found, sep="\n\n", end="\n\n", flush=True)
        if given.write:
            page = PAGE.read_text(encoding="utf-8")
            PAGE.write_text(
                page.replace(section, TABLE.sub(lambda _, new=found: new, section)),
                encoding="utf-8",
            )


if __name__ == "__main__":
    main()
