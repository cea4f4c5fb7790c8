"""Splits of a data set into training data, queries and targets."""

from plait.splitting.held_out_users import held_out_users
from plait.splitting.splits import Split, default_split, leave_one_out, time_split

__all__ = ["Split", "default_split", "held_out_users", "leave_one_out", "time_split"]
