"""Limits lists to sampled candidates, as papers did that rank a target among 99 random items."""

from __future__ import annotations

import numpy as np
import polars as pl

from plait.errors import InputError
from plait.experiments.scores.item_facts import ItemFacts

__all__ = ["n_sampled", "sampled_candidates"]


def n_sampled(candidates: str) -> int:
    """Read how many candidates are sampled.

    Args:
        candidates: "all", or "sampled:N" with N from 1 on.

    Returns:
        N; 0 for "all".

    Raises:
        InputError: If it is neither.
    """
    name, _, count = str(candidates).partition(":")
    if candidates == "all":
        return 0
    if name == "sampled" and count.isdecimal() and int(count) > 0:
        return int(count)
    message = f"candidates is {candidates!r}, expected 'all' or 'sampled:N', such as 'sampled:99'"
    raise InputError(message, hint="'all' compares with other papers", field="candidates")


def sampled_candidates(
    targets: pl.DataFrame,
    users: pl.Series,
    past: pl.DataFrame | None,
    facts: ItemFacts,
    count: int,
    seed: int,
) -> pl.DataFrame:
    """Draw the candidates of every user: the targets, and other items that are not seen.

    Args:
        targets: Pairs of user and item.
        users: The users.
        past: Pairs that were seen; None for none.
        facts: The catalogue.
        count: How many items are drawn for a user; fewer if there are not so many.
        seed: The seed of the draws.

    Returns:
        Pairs of user and item.
    """
    own = (
        targets if past is None else pl.concat([targets, past.join(targets, on="user", how="semi")])
    )
    excluded = dict(own.group_by("user").agg("item").iter_rows())
    catalogue = facts.dataset.catalogue
    alive = np.flatnonzero(catalogue.alive)
    pool = [catalogue.id(int(number)) for number in alive]
    generator = np.random.default_rng(seed)
    rows: list[tuple[str, str]] = []
    for user in users:
        not_drawn = set(excluded.get(user, ()))
        size = min(len(pool), count + len(not_drawn))
        drawn = (pool[index] for index in generator.choice(len(pool), size, replace=False))
        rows += [(user, item) for item in drawn if item not in not_drawn][:count]
    drawn_pairs = pl.DataFrame(rows, schema={"user": pl.String, "item": pl.String}, orient="row")
    return pl.concat([targets.select("user", "item"), drawn_pairs])
