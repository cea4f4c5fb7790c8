"""The notes below a report's table: protocol, sizes of the data, spread, warnings."""

from __future__ import annotations

from collections.abc import Iterator

from plait.evaluation.protocol import Protocol
from plait.evaluation.ranking.fusion_rows import WITHOUT
from plait.evaluation.reporting.metric_columns import main_metric, metric_columns
from plait.evaluation.results.report import Report
from plait.evaluation.results.seed_variance import ONE_SEED, depends_on_seed
from plait.evaluation.results.undefined_metrics import undefined_metric_notes

__all__ = ["ZERO", "report_notes"]


def report_notes(report: Report) -> Iterator[str]:
    """Describe the queries, the differences of the fusions, and the data warnings.

    Args:
        report: The report.

    Yields:
        Lines of text.
    """
    protocol, data = report.protocol, report.data
    without_lists = [row.model for row in report.results if row.has_no_lists]
    shown = [row.metrics for row in report.results if not row.has_no_lists]
    yield ""
    if without_lists:
        yield f"left out, because they returned no list for any query: {', '.join(without_lists)}"
    for name, extra in data.get("absent", {}).items():
        yield f'left out, because a package is not installed: {name} (pip install "plait[{extra}]")'
    yield from undefined_metric_notes(shown, metric_columns(protocol))
    options = ", ".join(_describe_options(protocol))
    yield f"protocol {protocol.name} ({options}), hash {protocol.hash}"
    yield from _describe_lists(protocol)
    targets = f"{data['targets']:,} targets"
    if "clicks" in data:
        targets = f"{data['targets']:,} examples, {data['clicks']:,} of them clicks,"
    yield (
        f"{data['queries']:,} queries with {targets} among {data['items']:,} "
        f"items, fitted on {data['train']:,} of {data['interactions']:,} events"
    )
    if data["excluded"]:
        yield f"{data['excluded']:,} targets excluded: the user had already seen them"
    if len(report.seeds) > 1:
        yield _describe_spread(report)
    elif report.paired and any(
        depends_on_seed(row.model, report.recipes) for row in report.results
    ):
        yield ONE_SEED
    yield from (difference.conclusion for difference in report.paired)
    yield from _describe_useless_models(report)
    for flag in report.flags:
        if flag.raised:
            yield f"flag {flag.name}: {flag.text}"
    if report.looked:
        yield f"this test has been evaluated {report.looked} time{'s' * (report.looked > 1)}"


def _describe_useless_models(report: Report) -> Iterator[str]:
    """The models without which the fusion is no worse outside the interval, and what they cost."""
    for difference in report.paired:
        recipe, _, row = difference.against.rpartition("/")
        if not row.startswith(WITHOUT) or not (difference.tie or difference.difference.value < 0):
            continue
        name = row.removeprefix(WITHOUT)
        seconds = report.result(f"{recipe}/{name}" if recipe else name).fit_seconds
        yield (
            f"{name} adds nothing to {difference.model} outside the interval; its fit takes "
            f"{seconds:.1f} s (plait fit --prune leaves such models out)"
        )


def _describe_options(protocol: Protocol) -> list[str]:
    """The options that were set, the protocol's own first."""
    is_held_out = protocol.name == "held-out-users"
    is_cold_users = protocol.name == "cold-users"
    is_drawn = protocol.name == "ratings" and not protocol.test_file
    options = (
        ("refit", protocol.refit),
        (f"{protocol.windows} windows", protocol.windows > 1),
        (f"test {protocol.test_days or 0:g} days", protocol.test_days is not None),
        (f"{protocol.test_users:g} of the users", is_held_out or is_cold_users),
        (f"events {', '.join(map(str, protocol.events))}", is_cold_users),
        (f"{protocol.cold:g} of the items cold", protocol.name == "cold-items"),
        (f"{protocol.fold_in:g} folded in", is_held_out),
        (f"file {protocol.test_file}", bool(protocol.test_file)),
        (f"data {protocol.split_data}", bool(protocol.split_data)),
        (f"{protocol.draw} {protocol.test_share:g}", is_drawn),
        (f"negative {', '.join(protocol.negative)}", bool(protocol.negative)),
        (f"seen {protocol.seen}", protocol.ranks),
        (f"seed {protocol.seed}", True),
        (f"goal {', '.join(protocol.goal) or 'any'}", True),
    )
    return [text for text, is_set in options if is_set]


def _describe_lists(protocol: Protocol) -> Iterator[str]:
    """How lists are made and counted: the rules that no option changes included."""
    if not protocol.ranks:
        yield f"intervals: 95 %, {protocol.resamples:,} bootstrap samples of users"
        return
    candidates = "all items"
    if protocol.n_sampled:
        candidates = f"the targets and {protocol.n_sampled} drawn items (not all)"
    refit = "models fitted again on train and validation"
    if not protocol.refit:
        refit = "models fitted on train alone, not again on train and validation"
    if protocol.name == "time":
        refit = "models fitted on everything before the cut"
    yield (
        f"k {', '.join(map(str, protocol.k))}; candidates: {candidates}; history: everything "
        f"before the query; {refit}; ties: expected value over their order; intervals: 95 %, "
        f"{protocol.resamples:,} bootstrap samples of users"
        + f"; one item of each {protocol.group_by}"
        * bool(protocol.group_by)
    )


def _describe_spread(report: Report) -> str:
    """The standard deviation of the deciding metric between seeds, by row."""
    main = main_metric(report.protocol)
    deviations = {
        row.model: f"{row.spread[main]:.4f}"
        for row in report.results
        if row.spread and not row.has_no_lists
    }
    parts = [
        f"{model} {deviation}"
        for model, deviation in deviations.items()
        if deviation not in ("nan", ZERO)
    ]
    if ZERO in deviations.values():
        parts.append(f"the others {ZERO}" if parts else f"{ZERO} in every row")
    return (
        f"means over {len(report.seeds)} seeds; standard deviation of {main} among them: "
        f"{', '.join(parts)}"
    )


ZERO = f"{0:.4f}"
"""A deviation that is zero, or too small to be printed."""
