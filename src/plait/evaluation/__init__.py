"""Evaluation of recipes: protocols, ranking and pointwise metrics, stored results, tuning."""

from plait.evaluation.protocol import Protocol
from plait.evaluation.results.paired_difference import Difference
from plait.evaluation.results.report import Report, Result

__all__ = ["Difference", "Protocol", "Report", "Result"]
