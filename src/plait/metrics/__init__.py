"""Metrics and their confidence intervals, in numpy alone."""

from plait.metrics.bootstrap import Interval
from plait.metrics.pointwise import BootstrapConfig, click_metrics, rating_metrics
from plait.metrics.ranking import METRICS, user_metrics
from plait.metrics.ties import TieGroups, tie_groups

__all__ = [
    "METRICS",
    "BootstrapConfig",
    "Interval",
    "TieGroups",
    "click_metrics",
    "rating_metrics",
    "tie_groups",
    "user_metrics",
]
