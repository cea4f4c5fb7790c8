"""Runs side by side: what is kept, what may be compared, and the verdict."""

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from plait.cli.main import app
from plait.errors import InputError, NotFoundError, ProtocolError
from plait.evaluation.evaluate import evaluate
from plait.evaluation.protocol import Protocol
from plait.evaluation.reporting.html_report import page, write_pages
from plait.evaluation.reporting.plots import plots
from plait.evaluation.results.comparison import compare, notes, verdict
from plait.evaluation.results.per_query import PerQueryMetrics, better, read_detail, write_detail
from plait.evaluation.results.report import Difference
from plait.evaluation.results.run_store import Run, find_run, read_run, save_run, write_report
from plait.metrics.bootstrap import Interval
from tests.dataset_fixtures import random_rows, world
from tests.evaluation.fake_stages import recipe

ROWS = random_rows(users=60, events=1200)
DATA = world(ROWS)

GROWING = [
    *ROWS,
    *((f"u{user}", f"n{user % 5}", 50 + user / 10) for user in range(60)),
]
"""Some items come late, so that targets are of more than one age."""


def clock():
    return world(
        [
            (f"u{user}", f"i{(user + step) % 30:02}", step + user / 100)
            for user in range(60)
            for step in range(8)
        ]
    )


def run(folder, called, data=DATA, toy=None, **options):
    report = evaluate(data, [toy or recipe("Counts")], Protocol(**options))
    path = folder / f"{called}.json"
    write_report(path, report)
    return read_run(path)


def test_what_is_written_is_read_again(tmp_path):
    report = evaluate(DATA, [recipe("Counts", "Follows")], Protocol())
    write_report(tmp_path / "one.json", report)
    found = read_run(tmp_path / "one.json")
    assert found.hash == report.protocol.hash
    assert found.name == "one"
    for model, metrics in report.detail.values.items():
        for name, values in metrics.items():
            assert (found.detail.values[model][name] == values).all()
            assert values.mean() == pytest.approx(report.result(model).metrics[name].value)


def test_a_home_keeps_its_runs(tmp_path):
    report = evaluate(DATA, [recipe("Counts")], Protocol())
    folder = save_run(tmp_path / "runs", report)
    assert folder.name == report.run
    assert read_run(find_run(report.run[:-2], tmp_path)).name == report.run
    with pytest.raises(NotFoundError, match="no run 'other'"):
        find_run("other", tmp_path)


def test_the_same_twice_is_a_tie(tmp_path):
    found = compare([run(tmp_path, "a"), run(tmp_path, "b", toy=recipe("Counts", name="again"))])
    assert found.common == found.most == len(found.runs[0].detail.keys) > 20
    assert all(one.tie and one.difference.value == 0 for one in found.differences)
    assert all("tie" in verdict(one) for one in found.differences)


def test_who_knows_the_circle_is_better_and_it_is_said(tmp_path):
    good = run(tmp_path, "good", clock(), recipe("Follows"), k=(3,))
    poor = run(tmp_path, "poor", clock(), recipe("Counts"), k=(3,))
    for order in ([good, poor], [poor, good]):
        found = compare(order)
        assert found.entries[0].label == ("good/fused")
        (first, *_) = found.differences
        assert not first.tie
        assert verdict(first).startswith("ndcg@3: good/fused is better than poor/fused by 0.")
    gap = first.difference.value
    mine, theirs = (one.detail.values["fused"]["ndcg@3"].mean() for one in (good, poor))
    assert gap == pytest.approx(mine - theirs, abs=1e-6)


def test_pairing_is_what_makes_it_sharp(tmp_path):
    keys = np.arange(400, dtype=np.int64)
    base = np.random.default_rng(0).random(400).astype(np.float32)
    detail = PerQueryMetrics(keys, keys, {"a": {"ndcg@1": base + 0.01}, "b": {"ndcg@1": base}})
    gap = detail.difference("ndcg@1", "a", "b")
    assert gap.low > 0.0099
    assert gap.high < 0.0101


def test_only_common_queries_count(tmp_path):
    one = run(tmp_path, "one")
    most = len(one.detail.keys)
    part = one.detail.take(np.arange(most - 5)[::-1])
    less = replace(one, name="less", detail=part)
    found = compare([one, less])
    assert (found.common, found.most) == (most - 5, most)
    assert all(gap.difference.value == 0 for gap in found.differences)
    assert any(f"{most - 5} common queries, of {most}" in line for line in notes(found))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"seen": "keep"}, "seen is 'remove' and 'keep'"),
        ({"k": (3,)}, r"k is \[5, 10\] and \[3\]"),
        ({"name": "time"}, "name is 'leave-one-out' and 'time'"),
    ],
)
def test_other_protocols_are_not_compared(tmp_path, options, said):
    with pytest.raises(ProtocolError, match=said):
        compare([run(tmp_path, "a"), run(tmp_path, "b", **options)])


def test_other_data_are_not_compared(tmp_path):
    more = world([*ROWS, ("u1", "i3", 70.0)])
    with pytest.raises(ProtocolError, match="the log ends at 1200 and 1201"):
        compare([run(tmp_path, "a"), run(tmp_path, "b", more)])
    moved = world([*ROWS[:-1], (ROWS[-1][0], "i0", ROWS[-1][2])])
    with pytest.raises(ProtocolError, match="the interactions are"):
        compare([run(tmp_path, "a"), run(tmp_path, "b", moved)])


def test_one_row_alone_is_refused_and_so_is_a_row_that_is_not_there(tmp_path):
    one = run(tmp_path, "a")
    assert len(compare([one]).entries) == 4
    with pytest.raises(InputError, match="one row"):
        compare([one], ["fused"])
    with pytest.raises(InputError, match="no row 'linear'"):
        compare([one], ["linear", "fused"])


def test_a_row_need_be_in_one_of_the_runs_only(tmp_path):
    good = run(tmp_path, "good", clock(), recipe("Follows"), k=(3,))
    poor = run(tmp_path, "poor", clock(), recipe("Counts"), k=(3,))
    found = compare([good, poor], ["follows", "counts"])
    assert [one.label for one in found.entries] == ["follows", "counts"]


def test_the_best_is_told_by_what_could_be_measured(tmp_path):
    """Of each user there is one example, so nobody has an AUC: the log loss decides."""
    rows = [
        (f"u{day}", f"i{day % 9}", float(day), "click" if day % 9 > 3 else "skip")
        for day in range(600)
    ]
    told = {"name": "clicks", "test_days": 100}
    found = compare([run(tmp_path, "one", world(rows), recipe("Dice"), **told)])
    losses = [one.metric("log_loss").value for one in found.entries]
    assert found.metrics[0] == "gauc"
    assert np.isnan([one.metric("gauc").value for one in found.entries]).all()
    assert losses == sorted(losses)
    assert found.entries[0].label == "item-rate"
    assert {one.metric for one in found.differences} == {"log_loss"}


def test_what_is_no_run_is_refused(tmp_path):
    (tmp_path / "x.json").write_text("[1]")
    with pytest.raises(InputError, match="no evaluation"):
        read_run(tmp_path / "x.json")
    run(tmp_path, "a")
    (tmp_path / "a.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:99])
    with pytest.raises(InputError, match="queries of a run"):
        read_run(tmp_path / "a.json")


def test_less_is_better_for_errors():
    assert better("rmse", -0.1)
    assert not better("log_loss", 0.1)
    assert better("ndcg@10", 0.1)


def test_weights_and_roots_survive_a_file(tmp_path):
    keys = np.arange(4, dtype=np.int64)
    values = {"a": {"rmse": np.array([1, 4, 9, 16], "f4")}}
    detail = PerQueryMetrics(keys, keys, values, {"rmse": np.array([1, 1, 0, 0], "f4")})
    write_detail(tmp_path / "x.npz", detail)
    again = read_detail(tmp_path / "x.npz")
    reached = again.means([("a", "rmse")], resamples=10, seed=0)
    assert reached[0, 0] == pytest.approx(np.sqrt(2.5))


def test_the_page_needs_nothing_else_and_shows_everything(tmp_path):
    pytest.importorskip("matplotlib")
    fields = {f"i{one}": {"colour": ("red", "<b>")[one % 2]} for one in range(40)}
    data = world(GROWING, item_fields=fields)
    report = evaluate(data, [recipe("Counts", "Follows", "Nothing")], Protocol(), group="colour")
    write_report(tmp_path / "a.json", report)
    write_pages([read_run(tmp_path / "a.json")], tmp_path / "a.html", tmp_path / "plots")
    text = (tmp_path / "a.html").read_text()
    assert "http" not in text.replace("http://www.w3.org", "")  # names of XML, nothing to load
    assert "<b>=" not in text
    assert "<script" not in text
    for name in ("follows", "popular-recent", report.protocol.hash):
        assert name in text
    assert ">nothing<" not in text  # it had no list for anybody
    found = sorted(one.name for one in (tmp_path / "plots").iterdir())
    names = {"accuracy", "history", "popularity", "age", "cost-seconds", "cost-memory", "exposure"}
    assert found == sorted(f"{one}.png" for one in names)
    assert text.count("<svg") == len(found)
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
    files = {one.stem: one for one in (tmp_path / "plots").iterdir()}
    assert set(files) == {"accuracy", "cost-seconds", "cost-memory"} | more
    for name, path in files.items():
        assert 0.01 < ink(path) < 0.5, name


def test_slices_are_drawn_where_their_values_are(tmp_path):
    pytest.importorskip("matplotlib")
    found = compare([run(tmp_path, "a", world(GROWING))])
    drawn = {one.name: one for one in plots(found.entries, found.metrics, found.entries[0].data)}
    for name in ("history", "popularity", "age"):
        (axes,) = drawn[name].draw().axes
        bands = [one.get_text().partition("\n")[0] for one in axes.get_xticklabels()]
        assert len(bands) > 1
        for one, marks in zip(found.entries, axes.containers, strict=True):
            values = [one.metric(f"{found.main}|{name}:{band}").value for band in bands]
            assert marks.lines[0].get_ydata().tolist() == values


def test_the_same_run_gives_the_same_page(tmp_path):
    pytest.importorskip("matplotlib")
    found = compare([run(tmp_path, "a")])
    assert page(found) == page(found)


def test_the_command_compares_and_writes(tmp_path):
    run(tmp_path, "good", clock(), recipe("Follows"), k=(3,))
    run(tmp_path, "poor", clock(), recipe("Counts"), k=(3,))
    names = [str(tmp_path / f"{one}.json") for one in ("good", "poor")]
    done = CliRunner().invoke(
        app, ["compare", *names, "--json", str(tmp_path / "c.json")], catch_exceptions=False
    )
    assert done.exit_code == 0
    assert "good/fused is better than poor/fused" in done.stdout
    written = json.loads((tmp_path / "c.json").read_text())
    assert written["queries"] == 60
    assert written["differences"][0]["tie"] is False


def test_of_ten_equal_rows_none_is_better(tmp_path):
    """Ten times chance: two by two, the luckiest would be called better than the unluckiest."""
    data = world(random_rows(users=300, events=6000))
    runs = [run(tmp_path, f"r{seed}", data, recipe("Dice", name=f"m{seed}")) for seed in range(2)]
    generator = np.random.default_rng(1)
    model = runs[0].report["results"][0]
    keys = runs[0].detail.keys
    values = {
        f"m{one}": {"ndcg@10": generator.random(len(keys)).astype(np.float32)} for one in range(10)
    }
    report = {**runs[0].report, "results": [{**model, "model": name} for name in values]}
    for row in report["results"]:
        row["metrics"] = {"ndcg@10": {"value": float(values[row["model"]]["ndcg@10"].mean())}}
        row["metrics"]["ndcg@10"] |= {"low": 0.0, "high": 1.0}
    many = Run("many", report, PerQueryMetrics(keys, runs[0].detail.users, values))
    found = compare([many])
    first, last = found.entries[0].label, found.entries[-1].label
    assert not Difference("", "", "", many.detail.difference("ndcg@10", first, last)).tie
    assert all(one.tie for one in found.differences)
    assert any("all pairs at once" in line for line in notes(found))
    assert not any("all pairs at once" in line for line in notes(compare(runs)))


def test_flags_of_every_run_are_told(tmp_path):
    rows = [(f"u{user}", f"i{user * 4 + step}", step) for user in range(30) for step in range(4)]
    rows += [(f"w{user}", f"i{user}", 0) for user in range(120) if user % 4 > 1]
    apart = run(tmp_path, "apart", world(rows), recipe("Dice", name="apart"))
    tied = run(tmp_path, "tied", world(rows), recipe("Counts", name="tied"))
    for runs in ([apart, tied], [tied, apart]):
        said = list(notes(compare(runs)))
        assert sum(line.startswith("flag ties") for line in said) == 1
        assert sum(line.startswith("flag few:") for line in said) == 1


def test_a_page_says_why_there_is_no_value_and_decides_by_what_there_is(tmp_path):
    pytest.importorskip("matplotlib")
    rows = [
        (f"u{day}", f"i{day % 9}", float(day), "click" if day % 9 > 3 else "skip")
        for day in range(600)
    ]
    told = {"name": "clicks", "test_days": 100}
    runs = [
        run(tmp_path, name, world(rows), recipe(toy, name=name), **told)
        for name, toy in (("a", "Dice"), ("b", "Counts"))
    ]
    found = write_pages(runs, tmp_path / "a.html", tmp_path / "plots")
    text = (tmp_path / "a.html").read_text()
    assert ">nan" not in text
    assert "no user has both a click and a miss" in text
    assert f"<b>{found.entries[0].label}</b> is best by log_loss" in text
    assert "reliability" in {one.stem for one in (tmp_path / "plots").iterdir()}
    drawn = text.partition('id="reliability-')[2]
    assert sum(drawn.count(colour) > 0 for colour in ("#0072b2", "#e69f00")) == 2


def test_by_how_much_the_better_is_better_lies_within_its_ends():
    for metric, gap in (("rmse", (-0.12, -0.24, -0.01)), ("ndcg@10", (0.12, 0.01, 0.24))):
        said = verdict(Difference(metric, "a", "b", Interval(*gap)))
        assert said == f"{metric}: a is better than b by 0.1200 [+0.0100 +0.2400]"
    said = verdict(Difference("rmse", "a", "b", Interval(0.12, 0.01, 0.24)))
    assert said == "rmse: b is better than a by 0.1200 [+0.0100 +0.2400]"


@pytest.mark.parametrize(
    ("users", "said"),
    [(1, "one user says nothing of others"), (3, "by chance all agree in one sample of 4")],
)
def test_of_a_handful_of_users_nobody_is_better(tmp_path, users, said):
    """Every user sees the same difference: the interval has no width, and proves nothing."""
    pytest.importorskip("matplotlib")
    one = run(tmp_path, "one", clock(), recipe("Follows"), k=(3,))
    few = replace(one, detail=one.detail.take(np.arange(users)))
    report = json.loads(json.dumps(one.report))
    for row in report["results"]:
        row["metrics"] |= {"ndcg@3": {"value": 0.5, "low": None, "high": None}}
    few = replace(few, report=report)
    found = compare([few], ["follows", "popular-all"])
    (first,) = (one for one in found.differences if one.metric == "ndcg@3")
    assert first.difference.value != 0
    assert first.tie
    assert first.users == users
    assert verdict(first).startswith("ndcg@3: unknown, ")
    assert said in verdict(first)
    written = json.dumps(found.to_dict(), allow_nan=False)
    assert f'"users": {users}' in written
    text = page(found)
    assert said in text
    assert "ahead of every other row" not in text
    assert "nan" not in text.partition("<svg")[0]
    assert "no interval of ndcg@3" in "\n".join(notes(found))


def test_six_users_who_agree_are_enough(tmp_path):
    one = run(tmp_path, "one", clock(), recipe("Follows"), k=(3,))
    six = replace(one, detail=one.detail.take(np.arange(6)))
    (first, *_) = compare([six], ["follows", "popular-all"]).differences
    assert not first.tie


def test_rows_without_a_list_for_anybody_are_not_compared(tmp_path):
    found = compare([run(tmp_path, "one", toy=recipe("Counts", "Nothing"))])
    labels = [one.label for one in found.entries]
    assert "counts" in labels
    assert "nothing" not in labels
    named = compare(found.runs, ["counts", "nothing"])
    assert [one.label for one in named.entries] == ["counts", "nothing"]
