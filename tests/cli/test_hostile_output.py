"""Output is data: names neither steer a terminal nor become markup, mathematics or HTML."""

import io
import json
import logging
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

import plait as library
from plait.cli import output
from plait.evaluation.evaluate import evaluate
from plait.evaluation.protocol import Protocol
from plait.evaluation.reporting.comparison_page import render_page
from plait.evaluation.reporting.plot_style import to_png
from plait.evaluation.reporting.plots import plots
from plait.evaluation.reporting.table import print_comparison, print_report
from plait.evaluation.results.comparison import compare
from plait.evaluation.results.run_store import read_run, write_report
from plait.pipeline.recipe import Recipe
from plait.server.logging import configure
from plait.utils.printable_text import escape_controls_in_json, printable, printable_line
from plait.utils.progress_bars import line_reporter
from tests.dataset_fixtures import random_rows, world
from tests.evaluation.fake_stages import recipe
from tests.workspace.workspace_fixtures import click_events, item_events

OBEYED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
HOSTILE = [
    "\x1b]0;pwned\x07\x1b[2J",
    "\x9b31m",
    "\u202egnp.exe\u2066",
    "[/b][link=https://x]y[/link][bold]",
    "$x_{$ $5 ... $10 $\\frac{1}{0}$",
    "<script>alert(1)</script><img src=x onerror=y>",
    "{{ 7 * 7 }}{% raw %}",
    "_nolegend_",
    "=HYPERLINK(1)\r\nkey: forged",
    ":smile: %s {0} \\",
    "]]>--><!--",
]
texts = st.sampled_from(HOSTILE) | st.text(st.characters(), max_size=12)


@given(texts)
def test_printable_text_holds_no_control_and_what_is_harmless_stays(text):
    assert not OBEYED.search(printable(text))
    assert not OBEYED.search(printable_line(text))
    assert not re.search(r"[\n\t]", printable_line(text))
    if not OBEYED.search(text):
        assert printable(text) == text


@given(st.recursive(texts, lambda inner: st.dictionaries(texts, inner, max_size=3)))
def test_escaped_json_is_the_same_value(value):
    document = escape_controls_in_json(json.dumps(value, ensure_ascii=False))
    assert not OBEYED.search(document)
    assert json.loads(document) == json.loads(json.dumps(value))


@settings(max_examples=40)
@given(texts)
def test_no_printer_of_commands_passes_controls_or_reads_markup(text):
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", out)
        patch.setattr("sys.stderr", out)
        output.print_lines(text, f"line: {text}")
        output.print_json({text: [text]})
        table = output.new_table([text])
        output.add_row(table, [text])
        output.print_table(table, width=1000)
        line_reporter(0)(text, 1, 2)
    lines = out.getvalue()
    assert not OBEYED.search(lines)
    if text in HOSTILE:
        assert lines.count(printable_line(text)[:12]) >= 4  # nothing was taken for markup


@pytest.fixture(scope="module")
def hostile_home(tmp_path_factory):
    """A fitted home whose titles, categories, fields and recipe are hostile."""
    home = tmp_path_factory.mktemp("hostile") / "home"
    with library.open(home) as shop:
        shop._log.append([*item_events(), *click_events()])
        for number, text in enumerate(HOSTILE):
            shop.put_item(f"lamp{number % 10}", {"title": f"lamp {text}", "category": text})
        fields = {f"field {number} [b]": text for number, text in enumerate(HOSTILE)}
        shop.put_item("lamp0", {"title": "lamp", **fields})
        shop.put_item("\u202e[b]", {"title": "lamp"})
        models = {name: {} for name in ("popular", "lexical")}
        steps = {name: {} for name in ("fuse", "rules", "policy", "explain")}
        shop.fit(Recipe.of({"name": "".join(HOSTILE[:3]), "models": models, "steps": steps}))
    return home


@pytest.mark.parametrize(
    "command",
    [
        ["info"],
        ["schema"],
        ["schema", "--json"],
        ["bundles"],
        ["list", "-k", "20", "--field", "title", "--field", "category", "--count", "category"],
        ["list", "--json", "-k", "20"],
        ["recommend", "-k", "20"],
        ["recommend", "-k", "20", "--json"],
        ["similar", "--item", "lamp1"],
        ["search", "lamp"],
        ["search", "lamp", "--user", HOSTILE[0]],
        ["similar", "--item", HOSTILE[0]],
        ["list", "--filter", HOSTILE[0]],
    ],
    ids=" ".join,
)
def test_command_prints_hostile_data_visibly(hostile_home, run, command):
    _, out, err = run(command[0], "--home", hostile_home, *command[1:])
    assert out or err
    assert not OBEYED.search(out + err)


@pytest.fixture(scope="module")
def hostile_runs(tmp_path_factory):
    """Two runs of recipes with hostile names, with exposure by a hostile category."""
    folder = tmp_path_factory.mktemp("runs")
    fields = {f"i{number}": {"colour": HOSTILE[number % len(HOSTILE)]} for number in range(40)}
    data = world(random_rows(users=60, events=1200), item_fields=fields)
    runs, reports = [], []
    for number in range(2):
        named = recipe("Counts", "Follows", name="".join(HOSTILE[number::2]))
        report = evaluate(data, [named], Protocol(), group="colour")
        path = folder / f"{number}.json"
        write_report(path, report)
        runs.append(read_run(path))
        reports.append(report)
    return runs, reports


def test_tables_of_evaluations_print_hostile_names_visibly(hostile_runs):
    runs, reports = hostile_runs
    out = io.StringIO()
    print_report(reports[0], Console(file=out))
    print_comparison(compare(runs), Console(file=out))
    assert not OBEYED.search(out.getvalue())
    for text in HOSTILE:
        assert printable_line(text) in out.getvalue()


def test_page_and_plots_show_hostile_names_as_text(hostile_runs):
    runs, _ = hostile_runs
    comparison = compare(runs)
    page = render_page(comparison)
    assert not OBEYED.search(page)
    assert "<script" not in page
    assert "<img" not in page
    assert "49" not in re.findall(r"\{\{.*?\}\}", page)
    drawn = plots(comparison.entries, comparison.metrics, runs[0].report["data"])
    assert drawn
    for plot in drawn:
        assert to_png(plot.draw).startswith(b"\x89PNG")


def test_log_lines_hold_no_controls(capsys):
    configure("info")
    logging.getLogger("plait.test").warning("%s", HOSTILE[0])
    assert not OBEYED.search(capsys.readouterr().err)
