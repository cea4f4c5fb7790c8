"""A page that needs nothing but itself: verdicts, tables, plots, and what to know before it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from math import isnan
from pathlib import Path
from typing import Any

from plait.errors import StorageError
from plait.evaluation.reporting.plot_style import to_png, to_svg
from plait.evaluation.reporting.plots import plots
from plait.evaluation.results.comparison import (
    ComparedRow,
    Comparison,
    active_warnings,
    compare,
    joint,
    seeds,
    sliced,
    verdict,
)
from plait.evaluation.results.per_query import LOWER, better
from plait.evaluation.results.report import Difference
from plait.evaluation.results.run_store import Run
from plait.evaluation.results.undefined_metrics import (
    DASH,
    undefined_metric_notes,
    undefined_reason,
)

__all__ = ["page", "write_pages"]

SHOWN = (
    *("ndcg", "recall", "mrr", "map", "hit_rate", "precision"),
    *("coverage", "diversity", "novelty", "gini", "popularity-lift"),
    *("rmse", "mae", "r2"),
    *("auc", "gauc", "log_loss", "ece", "known"),
)
"""Metrics of the first table, as far as a run has them."""

STYLE = """
:root { color-scheme: light dark; --ink: #1d2126; --faint: #667; --paper: #fff; --line: #d9dce1;
  --soft: #f4f5f7; --accent: #0072b2 }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e6ea; --faint: #9aa0aa; --paper: #16181c;
  --line: #34383f; --soft: #1f2227; --accent: #56b4e9 } }
* { box-sizing: border-box }
body { margin: 0 auto; padding: 2.5rem 1.25rem 4rem; max-width: 60rem; background: var(--paper);
  color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", sans-serif }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem }
h2 { font-size: 1.2rem; margin: 2.6rem 0 .3rem }
p { margin: .35rem 0 } .faint { color: var(--faint) }
ul { padding-left: 1.2rem; margin: .5rem 0 } li { margin: .2rem 0 }
.scroll { overflow-x: auto; margin: .8rem 0; border: 1px solid var(--line); border-radius: 6px }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums;
  min-width: 100% }
th, td { padding: .42rem .8rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line) }
tr:last-child td { border-bottom: 0 }
th { font-weight: 600; background: var(--soft) }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0;
  background: var(--paper) }
th:first-child { background: var(--soft) }
td.best { font-weight: 700 } tr.baseline td { color: var(--faint) }
td small { display: block; color: var(--faint); font-size: .75rem; font-weight: 400 }
.verdict { border-left: 3px solid var(--accent); padding: .1rem 0 .1rem .9rem; margin: .8rem 0 }
.flag { border-left: 3px solid #d55e00; padding-left: .9rem }
figure { margin: .8rem 0 0 } figure svg { width: 100%; height: auto; display: block }
code { font-size: .9em }
"""


def write_pages(
    runs: Sequence[Run], path: Path | None, folder: Path | None, rows: Sequence[str] = ()
) -> Comparison:
    """Write the page to `path` and its plots as PNG into `folder`, whichever is given.

    Raises MissingExtraError without matplotlib, StorageError if a file cannot be written.
    """
    found = compare(runs, rows)
    try:
        if path is not None:
            path.write_text(page(found), encoding="utf-8")
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            for one in plots(_visible(found), found.metrics, _data(found)):
                (folder / f"{one.name}.png").write_bytes(to_png(one.draw))
    except OSError as problem:
        raise StorageError(f"cannot write {problem.filename}: {problem}") from problem
    return found


def page(found: Comparison) -> str:
    """The whole page as HTML."""
    protocol = found.runs[0].report["protocol"]
    title = f"Evaluation by {protocol['name']}"
    drawn = plots(_visible(found), found.metrics, _data(found))
    parts = [
        f"<h1>{_text(title)}</h1>",
        *_head(found),
        *_verdicts(found),
        "<h2>All rows</h2>",
        "<p class=faint>The best of a column is bold; below a value stands its 95 % interval.</p>",
        _table(_visible(found), _columns(found.entries)),
        *(
            f"<h2>{_text(one.title)}</h2><p class=faint>{_text(one.text)}</p>"
            f"<figure>{_unique(to_svg(one.draw), one.name)}</figure>"
            for one in drawn
        ),
        *_slice_tables(found),
        *_flags(found),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_text(title)}</title><style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def _head(found: Comparison) -> Iterator[str]:
    report = found.runs[0].report
    protocol, data = report["protocol"], report["data"]
    said = [
        f"{name} {_plain(value)}"
        for name, value in protocol.items()
        if name not in ("name", "hash", "resamples") and value not in (None, [], "", False)
    ]
    stamp = f"<code>{_text(protocol['hash'])}</code>"
    yield f"<p class=faint>Protocol {stamp}: {_text(', '.join(said))}.</p>"
    counts = ", ".join(
        f"{data[name]:,} {name}"
        for name in ("queries", "targets", "items", "users", "interactions")
        if name in data
    )
    names = ", ".join(one.name for one in found.runs)
    yield f"<p class=faint>{_text(counts)}. Runs: {_text(names)}.</p>"
    yield from (f"<p class=faint>{_text(one)}</p>" for one in seeds(found))


def _verdicts(found: Comparison) -> Iterator[str]:
    yield "<h2>Verdict</h2>"
    there = {one.label for one in _visible(found)}
    kept = [one for one in found.differences if one.against in there]
    main = [one for one in kept if one.metric == found.main]
    best = found.entries[0].label
    alone = f"<b>{_text(best)}</b> is best by {_text(found.main)}"
    yield f"<p class=verdict>{alone}{_text(_rest(main))}</p>"
    if len(found.entries) > 2:
        yield f"<p class=faint>{_text(joint(found))}</p>"
    yield "<details><summary>Every paired difference</summary><ul>"
    yield from (f"<li>{_text(verdict(one))}</li>" for one in kept)
    yield "</ul></details>"


def _rest(main: Sequence[Difference]) -> str:
    """How the best row stands to the others, by what decides."""
    doubts = list(dict.fromkeys(one.doubt for one in main if one.unknown))
    ties = [
        f"{one.against}{' (within the spread of seeds)' * one.by_seeds}"
        for one in main
        if one.tie and not one.unknown
    ]
    tied = f", tied with {_listed(ties)}" if ties else ""
    if doubts:
        others = _listed([one.against for one in main if one.unknown])
        return f"{tied}; whether it is better than {others} is unknown ({', '.join(doubts)})."
    return f"{tied or ', ahead of every other row'}."


def _columns(entries: Sequence[ComparedRow]) -> list[str]:
    """The metrics of the first table: those without slices, each at its largest k."""
    there: dict[str, str] = {}
    for name in entries[0].row["metrics"]:
        bare, _, k = name.partition("@")
        if "|" not in name and (
            bare not in there or int(k or 0) > int(there[bare].partition("@")[2])
        ):
            there[bare] = name
    return [there[name] for name in SHOWN if name in there]


def _table(entries: Sequence[ComparedRow], columns: Sequence[str], costs: bool = True) -> str:
    """Rows by columns of metrics, and what rows cost."""
    ends = ["fit s", "evaluate s", "peak MB"] if costs else []
    heads = "".join(f"<th>{_text(one)}</th>" for one in ("row", *columns, *ends))
    best = {name: _best(entries, name) for name in columns}
    lines = []
    for one in entries:
        cells = "".join(_cell(one, name, best[name]) for name in columns)
        if costs:
            row = one.row
            cells += f"<td>{row['fit_seconds']:.1f}</td><td>{row['evaluate_seconds']:.1f}</td>"
            cells += f"<td>{row['peak_mb']:,.0f}</td>"
        kind = " class=baseline" if one.baseline else ""
        lines.append(f"<tr{kind}><td>{_text(one.label)}</td>{cells}</tr>")
    body = "\n".join(lines)
    whole = f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody>"
    said = undefined_metric_notes([one.metrics for one in entries], columns)
    notes = "".join(f"<p class=faint>{_text(line)}</p>" for line in said)
    return f"<div class=scroll><table>{whole}</table></div>{notes}"


def _best(entries: Sequence[ComparedRow], name: str) -> float | None:
    """The best value of a column, where more (or less) is better."""
    bare = name.partition("|")[0].partition("@")[0]
    if bare in ("novelty", "gini", "popularity-lift", "coverage", "diversity", "known"):
        return None
    every = [found.value for one in entries if (found := one.metric(name)) is not None]
    values = [one for one in every if not isnan(one)]
    return (max(values) if better(name, 1.0) else min(values)) if values else None


def _cell(one: ComparedRow, name: str, best: float | None) -> str:
    found = one.metric(name)
    if found is None:
        return "<td></td>"
    if isnan(found.value):
        return f'<td title="{_text(undefined_reason(name))}">{DASH}</td>'
    digits = 4 if abs(found.value) < 1 or name.partition("|")[0] in LOWER else 2
    ends = ""
    if found.low < found.high:  # neither where both are the value, nor where they are unknown
        ends = f"<small>{found.low:.{digits}f} to {found.high:.{digits}f}</small>"
    kind = " class=best" if found.value == best else ""
    return f"<td{kind}>{found.value:.{digits}f}{ends}</td>"


def _slice_tables(found: Comparison) -> Iterator[str]:
    """The main metric in every slice there is."""
    main = sliced(found.main)
    names = dict.fromkeys(
        name for one in found.entries for name in one.row["metrics"] if name.startswith(f"{main}|")
    )
    if names:
        yield f"<h2>{_text(main)} in every slice</h2>"
        table = _table(_visible(found), list(names), costs=False)
        yield table.replace(f"<th>{_text(main)}|", "<th>")


def _flags(found: Comparison) -> Iterator[str]:
    flags = active_warnings(found)
    if flags:
        yield "<h2>Before believing it</h2>"
        for name, text in flags:
            yield f"<p class=flag><b>{_text(name)}</b>: {_text(text)}</p>"
    looked = max(int(run.report.get("looked") or 0) for run in found.runs)
    if looked:
        yield f"<p class=faint>This test was looked at {looked} time{'s' * (looked > 1)}.</p>"


def _visible(found: Comparison) -> list[ComparedRow]:
    """The rows that had a list for anybody."""
    if not better(found.main, 1.0):
        return list(found.entries)
    return [one for one in found.entries if not one.silent] or list(found.entries)


def _data(found: Comparison) -> Mapping[str, Any]:
    data: Mapping[str, Any] = found.runs[0].report["data"]
    return data


def _unique(svg: str, name: str) -> str:
    """Ids of one drawing must not name parts of another one on the same page."""
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'href="#', f'href="#{name}-', svg)
    return re.sub(r"url\(#", f"url(#{name}-", svg)


def _plain(value: Any) -> str:
    return " ".join(str(one) for one in value) if isinstance(value, list) else str(value)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + names[-1]


def _text(value: Any) -> str:
    return html.escape(str(value))
