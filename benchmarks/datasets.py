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


def run(words: list[str], options: argparse.Namespace) -> None:
    """A command of the page, its home below `--work`."""
    words = [word.replace("$DATA", str(options.data.resolve())) for word in words]
    words[words.index("--home") + 1] = str(options.work / option(words, "--home"))
    plait(*words)


def plait(*words: str) -> None:
    command = [sys.executable, "-m", "plait", *words]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{shlex.join(words)}\n{done.stderr}")


def measured(section: str, options: argparse.Namespace) -> list[dict]:
    """The reports of a section, one for each `plait evaluate` line, with what `full` is ahead."""
    reports = []
    for words in commands(section):
        if words[0] == "ingest":
            run(words, options)
        elif words[0] == "evaluate" and options.protocol in ("", option(words, "--protocol")):
            path = options.work / "report.json"
            run([*words, "--json", str(path)], options)
            report = json.loads(path.read_text())
            shown = chosen(report)
            report["ahead"] = {row["model"]: ahead(path, row["model"], report) for row in shown[1:]}
            reports.append(report)
    return reports


def ahead(path: Path, other: str, report: dict) -> str:
    """`full` less another row, as `plait compare` has it, and whether that is a tie."""
    out = path.with_name("compared.json")
    plait("compare", str(path), "--row", FIRST, "--row", other, "--json", str(out))
    name = metrics(report)[-1]
    for difference in json.loads(out.read_text())["differences"]:
        if difference["metric"] == name:
            sign = 1 if difference["model"] == FIRST else -1
            low, high = sorted((sign * difference["low"], sign * difference["high"]))
            tie = " tie" if difference["tie"] else ""
            return f"{sign * difference['value']:+.4f} [{low:+.4f}, {high:+.4f}]{tie}"
    return ""


def metrics(report: dict) -> tuple[str, ...]:
    return METRICS.get(report["protocol"]["name"], RANKED)


def label(report: dict) -> str:
    protocol = report["protocol"]
    days = protocol["test_days"]
    return f"{protocol['name']}, {days:g} days" if days else protocol["name"]


def value(interval: dict) -> str:
    if interval["value"] is None:
        return ""
    return f"{interval['value']:.4f} [{interval['low']:.4f}, {interval['high']:.4f}]"


def chosen(report: dict) -> list[dict]:
    """The answers of both recipes, the best other row, and what is popular."""
    by_name = {row["model"]: row for row in report["results"]}
    name = metrics(report)[-1]
    fused = [FIRST, "default/fused"]
    popular = "popular-recent" if "popular-recent" in by_name else "item-rate"
    sign = -1 if name == "log_loss" else 1
    best = max(
        (row for row in report["results"] if row["model"] not in fused),
        key=lambda row: sign * row["metrics"][name]["value"],
    )
    return [by_name[row] for row in dict.fromkeys([*fused, best["model"], popular])]


def rows(report: dict) -> list[str]:
    lines = []
    for position, row in enumerate(chosen(report)):
        cells = [value(row["metrics"][name]) for name in metrics(report)]
        cells.append(report["ahead"].get(row["model"], ""))
        first = "" if position else label(report)
        lines.append(f"| {first} | `{row['model']}` | {' | '.join(cells)} |")
    return lines


def note(report: dict) -> str:
    """What was asked, and the flags that were raised."""
    data, protocol = report["data"], report["protocol"]
    raised = [f"`{flag['name']}`" for flag in report["flags"] if flag["raised"]]
    seen_items = {"remove": "removed", "keep": "kept"}[protocol["seen"]]
    excluded = data["excluded"]
    out = f", {excluded:,} targets excluded because the user had seen them" if excluded else ""
    text = (
        f"- {label(report)}: {data['queries']:,} queries with {data['targets']:,} targets among "
        f"{data['items']:,} items, fitted on {data['train']:,} of {data['interactions']:,} events; "
        f"seen items {seen_items}{out}. {'Flags: ' + ', '.join(raised) if raised else 'No flag'}."
    )
    return textwrap.fill(text, 118, subsequent_indent="  ", break_on_hyphens=False)


def table(reports: list[dict]) -> str:
    names = metrics(reports[0])
    heads = ["protocol", "row", *names, f"`{FIRST}` minus row, {names[-1]}"]
    head = f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|"
    lines = [line for report in reports for line in rows(report)]
    return "\n".join([head, *lines, "", *(note(report) for report in reports)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", default="", help="homes, with commas between")
    parser.add_argument("--protocol", default="")
    parser.add_argument("--work", type=Path, default=ROOT / ".cache" / "datasets")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    options.work = options.work.resolve()
    names = set(options.only.split(",")) - {""}
    for section in re.split(r"(?=^## )", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE):
        homes = {option(words, "--home") for words in commands(section)}
        if not TABLE.search(section) or (names and not homes & names):
            continue
        reports = measured(section, options)
        if not reports:
            continue
        tables = table(reports)
        print(section.splitlines()[0], tables, sep="\n\n", end="\n\n", flush=True)
        if options.write:
            page = PAGE.read_text(encoding="utf-8")
            PAGE.write_text(
                page.replace(section, TABLE.sub(lambda _, new=tables: new, section)),
                encoding="utf-8",
            )


if __name__ == "__main__":
    main()
