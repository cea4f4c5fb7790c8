"""The tables of docs/datasets.md, by the very commands that stand there.

    python benchmarks/datasets.py --data FOLDER [--only deskdrop,ml-100k] [--protocol time]
        [--work FOLDER] [--write]

Runs the `plait ingest` and `plait evaluate` lines of each section, then `plait compare` for the
differences, and prints the table and the notes below it; with `--write` they take the place of
those in the page. Homes stay in `--work`.
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
METRICS = {"clicks": ("auc", "log_loss")}
"""What a protocol's table shows; what is compared comes last."""
RANKED = ("recall@10", "ndcg@10")
FIRST = "full/fused"
TABLE = re.compile(r"\| protocol \| row \|.*?(?=\s*\Z)", re.DOTALL)


def commands(section: str) -> list[list[str]]:
    """The `plait` commands of a section, in words."""
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", section, re.DOTALL))
    lines = blocks.replace("\\\n", " ").splitlines()
    return [shlex.split(line)[1:] for line in lines if line.startswith("plait ")]


def option(words: list[str], name: str) -> str:
    return words[words.index(name) + 1] if name in words else ""


def run(words: list[str], given: argparse.Namespace) -> None:
    """A command of the page, its home below `--work`."""
    words = [one.replace("$DATA", str(given.data.resolve())) for one in words]
    words[words.index("--home") + 1] = str(given.work / option(words, "--home"))
    plait(*words)


def plait(*words: str) -> None:
    command = [sys.executable, "-m", "plait", *words]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{shlex.join(words)}\n{done.stderr}")


def measured(section: str, given: argparse.Namespace) -> list[dict]:
    """The reports of a section, one for each `plait evaluate` line, with what `full` is ahead."""
    found = []
    for words in commands(section):
        if words[0] == "ingest":
            run(words, given)
        elif words[0] == "evaluate" and given.protocol in ("", option(words, "--protocol")):
            path = given.work / "report.json"
            run([*words, "--json", str(path)], given)
            report = json.loads(path.read_text())
            shown = chosen(report)
            report["ahead"] = {one["model"]: ahead(path, one["model"], report) for one in shown[1:]}
            found.append(report)
    return found


def ahead(path: Path, other: str, report: dict) -> str:
    """`full` less another row, as `plait compare` has it, and whether that is a tie."""
    out = path.with_name("compared.json")
    plait("compare", str(path), "--row", FIRST, "--row", other, "--json", str(out))
    name = metrics(report)[-1]
    for one in json.loads(out.read_text())["differences"]:
        if one["metric"] == name:
            sign = 1 if one["model"] == FIRST else -1
            low, high = sorted((sign * one["low"], sign * one["high"]))
            tie = " tie" if one["tie"] else ""
            return f"{sign * one['value']:+.4f} [{low:+.4f}, {high:+.4f}]{tie}"
    return ""


def metrics(report: dict) -> tuple[str, ...]:
    return METRICS.get(report["protocol"]["name"], RANKED)


def label(report: dict) -> str:
    protocol = report["protocol"]
    days = protocol["test_days"]
    return f"{protocol['name']}, {days:g} days" if days else protocol["name"]


def value(one: dict) -> str:
    if one["value"] is None:
        return ""
    return f"{one['value']:.4f} [{one['low']:.4f}, {one['high']:.4f}]"


def chosen(report: dict) -> list[dict]:
    """The answers of both recipes, the best other row, and what is popular."""
    by_name = {one["model"]: one for one in report["results"]}
    name = metrics(report)[-1]
    fused = [FIRST, "default/fused"]
    popular = "popular-recent" if "popular-recent" in by_name else "item-rate"
    sign = -1 if name == "log_loss" else 1
    best = max(
        (one for one in report["results"] if one["model"] not in fused),
        key=lambda one: sign * one["metrics"][name]["value"],
    )
    return [by_name[one] for one in dict.fromkeys([*fused, best["model"], popular])]


def rows(report: dict) -> list[str]:
    lines = []
    for place, one in enumerate(chosen(report)):
        cells = [value(one["metrics"][name]) for name in metrics(report)]
        cells.append(report["ahead"].get(one["model"], ""))
        first = "" if place else label(report)
        lines.append(f"| {first} | `{one['model']}` | {' | '.join(cells)} |")
    return lines


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
    names = metrics(reports[0])
    heads = ["protocol", "row", *names, f"`{FIRST}` minus row, {names[-1]}"]
    head = f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|"
    lines = [line for one in reports for line in rows(one)]
    return "\n".join([head, *lines, "", *(note(one) for one in reports)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", default="", help="homes, with commas between")
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
