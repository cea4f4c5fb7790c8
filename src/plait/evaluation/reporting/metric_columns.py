"""The metrics that a report's table shows, and the one that decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plait.evaluation.protocol import Protocol

if TYPE_CHECKING:
    pass

__all__ = ["CLICK_COLUMNS", "RANKING_COLUMNS", "RATING_COLUMNS", "main_metric", "metric_columns"]

RANKING_COLUMNS = ("recall", "ndcg", "mrr", "hit_rate", "coverage", "novelty")
"""The metrics that fit on a screen; JSON has them all. The first two show their intervals."""


RATING_COLUMNS = ("rmse", "mae", "r2", "known")


CLICK_COLUMNS = ("auc", "gauc", "log_loss", "ece", "known")


def metric_columns(protocol: Protocol) -> list[str]:
    """The metrics of a table, with the greatest k for rankings.

    Args:
        protocol: The protocol of the report.
    """
    if protocol.ranks:
        return [f"{name}@{max(protocol.k)}" for name in RANKING_COLUMNS]
    return list(RATING_COLUMNS if protocol.name == "ratings" else CLICK_COLUMNS)


def main_metric(protocol: Protocol) -> str:
    """The deciding metric.

    Args:
        protocol: The protocol of the report.
    """
    return metric_columns(protocol)[1 if protocol.ranks else 0]
