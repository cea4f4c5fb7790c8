"""The state as a fold of the log, what a bundle does not know yet, and the thread that follows."""

from plait.state.deltas import deltas
from plait.state.follower import Follower
from plait.state.live_state import DatasetState, LiveState

__all__ = ["DatasetState", "Follower", "LiveState", "deltas"]
