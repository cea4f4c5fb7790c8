"""The page of a comparison, and its plots."""

from dataclasses import replace

import pytest

from plait.evaluation.evaluate import evaluate
from plait.evaluation.protocol import Protocol
from plait.evaluation.reporting.comparison_page import render_page, write_pages
from plait.evaluation.reporting.plots import plots
from plait.evaluation.results.comparison import compare
from plait.evaluation.results.run_store import read_run, write_report
from tests.dataset_fixtures import world
from tests.evaluation.fake_stages import recipe
from tests.evaluation.saved_runs import ROWS, run

GROWING = [
    *ROWS,
    *((f"u{user}", f"n{user % 5}", 50 + user / 10) for user in range(60)),
]
"""Some items come late, so that targets are of more than one age."""


def test_the_page_is_self_contained_and_shows_all_rows_and_plots(tmp_path):
    pytest.importorskip("matplotlib")
    fields = {f"i{number}": {"colour": ("red", "<b>")[number % 2]} for number in range(40)}
    data = world(GROWING, item_fields=fields)
    report = evaluate(data, [recipe("Counts", "Follows", "Nothing")], Protocol(), group="colour")
    bands = [{"history_from": 4, "queries": 9, "weights": {"follows": 0.625}}]
    report = replace(report, fusion={"toy": {"bands": bands}})
    write_report(tmp_path / "a.json", report)
    write_pages([read_run(tmp_path / "a.json")], tmp_path / "a.html", tmp_path / "plots")
    text = (tmp_path / "a.html").read_text()
    assert "http" not in text.replace("http://www.w3.org", "")  # names of XML, nothing to load
    assert "<b>=" not in text
    assert "<script" not in text
    for name in ("follows", "popular-recent", report.protocol.hash, "history 4+", "0.625"):
        assert name in text
    assert ">nothing<" not in text  # it had no list for anybody
    file_names = sorted(path.name for path in (tmp_path / "plots").iterdir())
    names = {"accuracy", "history", "popularity", "age", "cost-seconds", "cost-memory", "exposure"}
    assert file_names == sorted(f"{name}.png" for name in names)
    assert text.count("<svg") == len(file_names)
    assert text.count("currentColor") > 50


def ink(path):
    """The share of a PNG's points that are not as white as the paper."""
    from matplotlib.image import imread

    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    drawn = imread(path)
    assert min(drawn.shape[:2]) > 100
    return float((drawn[..., :3].min(axis=2) < 0.9).mean())


@pytest.mark.parametrize(
    ("protocol", "more"),
    [
        ({}, {"history", "popularity", "age"}),
        (
            {"name": "time", "test_days": 8, "windows": 2},
            {"history", "popularity", "age", "window"},
        ),
    ],
)
def test_every_plot_is_a_png_that_shows_something(tmp_path, protocol, more):
    pytest.importorskip("matplotlib")
    write_pages([run(tmp_path, "a", world(GROWING), **protocol)], None, tmp_path / "plots")
    files = {path.stem: path for path in (tmp_path / "plots").iterdir()}
    assert set(files) == {"accuracy", "cost-seconds", "cost-memory"} | more
    for name, path in files.items():
        assert 0.01 < ink(path) < 0.5, name


def test_slice_plots_have_the_values_of_the_slices(tmp_path):
    pytest.importorskip("matplotlib")
    comparison = compare([run(tmp_path, "a", world(GROWING))])
    made = plots(comparison.entries, comparison.metrics, comparison.entries[0].data)
    drawn = {plot.name: plot for plot in made}
    for name in ("history", "popularity", "age"):
        (axes,) = drawn[name].draw().axes
        bands = [label.get_text().partition("\n")[0] for label in axes.get_xticklabels()]
        assert len(bands) > 1
        for row, marks in zip(comparison.entries, axes.containers, strict=True):
            values = [row.metric(f"{comparison.main_metric}|{name}:{band}").value for band in bands]
            assert marks.lines[0].get_ydata().tolist() == values


def test_the_same_run_gives_the_same_page(tmp_path):
    pytest.importorskip("matplotlib")
    comparison = compare([run(tmp_path, "a")])
    assert render_page(comparison) == render_page(comparison)


def test_the_page_explains_undefined_values_and_decides_by_another_metric(tmp_path):
    pytest.importorskip("matplotlib")
    rows = [
        (f"u{day}", f"i{day % 9}", float(day), "click" if day % 9 > 3 else "skip")
        for day in range(600)
    ]
    options = {"name": "clicks", "test_days": 100}
    runs = [
        run(tmp_path, name, world(rows), recipe(toy, name=name), **options)
        for name, toy in (("a", "Dice"), ("b", "Counts"))
    ]
    comparison = write_pages(runs, tmp_path / "a.html", tmp_path / "plots")
    text = (tmp_path / "a.html").read_text()
    assert ">nan" not in text
    assert "no user has both a click and a miss" in text
    assert f"<b>{comparison.entries[0].label}</b> is best by log_loss" in text
    assert "reliability" in {path.stem for path in (tmp_path / "plots").iterdir()}
    drawn = text.partition('id="reliability-')[2]
    assert sum(drawn.count(colour) > 0 for colour in ("#0072b2", "#e69f00")) == 2
