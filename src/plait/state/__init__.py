"""The state that queries are answered from: the log applied event by event, and its follower."""

from plait.state.follower import Follower
from plait.state.live_state import LiveState
from plait.state.snapshot_state import DatasetState
from plait.state.stage_deltas import deltas

__all__ = ["DatasetState", "Follower", "LiveState", "deltas"]
