"""The state as a fold of the log, what a bundle does not know yet, and the thread that follows."""

from plait.online.delta import deltas
from plait.online.follow import Follower
from plait.online.state import DatasetState, LiveState

__all__ = ["DatasetState", "Follower", "LiveState", "deltas"]
