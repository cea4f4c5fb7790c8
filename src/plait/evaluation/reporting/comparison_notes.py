"""Notes that describe a comparison: what was compared, the conclusions, and the warnings."""

from __future__ import annotations

from collections.abc import Iterator

from plait.evaluation.results.comparison import Comparison
from plait.evaluation.results.seed_variance import ONE_SEED
from plait.evaluation.results.undefined_metrics import undefined_metric_notes

__all__ = ["active_warnings", "comparison_notes", "seed_notes", "simultaneous_note"]


def simultaneous_note(comparison: Comparison) -> str:
    """State what the intervals of several differences cover.

    Args:
        comparison: A comparison of more than two rows.

    Returns:
        One line of text.
    """
    return (
        f"the intervals hold for all pairs at once: they account for {len(comparison.entries)} "
        "rows being compared"
    )


def comparison_notes(comparison: Comparison) -> Iterator[str]:
    """Describe what was compared, the conclusions and the data warnings.

    Args:
        comparison: The comparison to describe.

    Yields:
        Lines of text.
    """
    protocol = comparison.runs[0].report["protocol"]
    hashes = " and ".join(dict.fromkeys(run.hash for run in comparison.runs))
    yield f"protocol {protocol['name']}, hash {hashes}"
    total = f", of {comparison.n_most:,}" if comparison.n_common < comparison.n_most else ""
    yield (
        f"{comparison.n_common:,} common queries{total}, paired by query; "
        "intervals from 1,000 resamples of users"
    )
    if len(comparison.entries) > 2:
        yield simultaneous_note(comparison)
    yield from seed_notes(comparison)
    metrics = [entry.metrics for entry in comparison.entries]
    yield from undefined_metric_notes(metrics, comparison.metrics)
    yield from (difference.conclusion for difference in comparison.differences)
    for name, text in active_warnings(comparison):
        yield f"flag {name}: {text}"


def seed_notes(comparison: Comparison) -> Iterator[str]:
    """Describe how many seeds the rows are means of.

    Args:
        comparison: The comparison to describe.

    Yields:
        A line if a run has several seeds, and one if a row that trains has a single seed.
    """
    counts = sorted({run.n_seeds for run in comparison.runs})
    if len(counts) > 1:
        yield f"the runs pool {' and '.join(map(str, counts))} seeds"
    elif counts[0] > 1:
        yield f"means over {counts[0]} seeds"
    rows = (entry for entry in comparison.entries if entry.variance.depends_on_seed)
    single = [entry.label for entry in rows if entry.variance.n_seeds == 1]
    if single:
        yield ONE_SEED if len(counts) == 1 else f"{', '.join(single)}: {ONE_SEED}"


def active_warnings(comparison: Comparison) -> list[tuple[str, str]]:
    """Collect the data warnings that are raised in any of the runs.

    Args:
        comparison: The comparison whose runs are searched.

    Returns:
        Name and text of every warning, each once.
    """
    warnings = (flag for run in comparison.runs for flag in run.report.get("flags", ()))
    return list(
        dict.fromkeys((str(flag["name"]), str(flag["text"])) for flag in warnings if flag["raised"])
    )
