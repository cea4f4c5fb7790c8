"""The metrics of lists beyond accuracy, by name: they need the training interactions or fields.

With n_i the users of item i in train, N the users of train, and lists cut off at k:

- `novelty`: the mean of -log2 of (n_i + 1) / sum over items of (n_j + 1) (Zhou et al., 2010), as
  `plait evaluate`; `novelty@rectools`: of -log2(n_i / N), where an unknown item has one user;
- `popularity`: the mean of n_i, as AvgRecPopularity of RecTools and AveragePopularity of RecBole;
- `serendipity`: the mean of max(p_i - q_i, 0) over the items that are targets, 0 for the others,
  with p_i = (M + 1 - rank) / M and q_i = (M + 1 - rank by popularity) / M, 0 for an item unknown
  to train, M the items of the catalogue, as RecTools;
- `intra_list_similarity`: the mean cosine of two items of a list (Ziegler et al., 2005), by TF-IDF
  of their categories, else texts, else users; 1 - diversity of `plait evaluate`;
- `recall@ips`, `ndcg@ips`: recall and NDCG with each target weighted by its inverse propensity,
  normalised per user (Yang et al., 2018; Steck, 2011): the propensity is n_i to a power;
- `revenue:FIELD`: the sum of a number field, such as a price, over the hits;
- `coverage`: the share of the catalogue in any list; `gini`: how unequally places are spread over
  the catalogue. Both belong to all lists together: every user has the same value.

Ties count in expectation; of serendipity, in the order of the frame.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from plait.data.array_types import Float64Array
from plait.evaluation.ranking.list_diversity import diversity
from plait.experiments.scores.item_facts import ItemFacts
from plait.experiments.scores.metric_definitions import RankedLists
from plait.metrics.beyond_accuracy import (
    ExposureChances,
    add_absence,
    coverage,
    exposure_chances,
    gini,
    mean_exposed_value,
)
from plait.metrics.dcg import discounts
from plait.metrics.expected_gains import expected_gains, ideal_weighted_dcg
from plait.metrics.ties import TieGroups

__all__ = ["BEYOND_ACCURACY", "CATALOGUE_METRICS", "REVENUE", "beyond_accuracy_values"]

REVENUE = "revenue:"
"""What names of revenue begin with; the field follows."""

CATALOGUE_METRICS = ("coverage", "gini")
"""The metrics of all lists together."""


def beyond_accuracy_values(
    lists: RankedLists, names: Sequence[str], ks: Sequence[int], facts: ItemFacts
) -> dict[str, Float64Array]:
    """Compute metrics of every user.

    Args:
        lists: The lists of U users.
        names: Names of `BEYOND_ACCURACY`, or "revenue:FIELD".
        ks: The cut-offs.
        facts: What is known of the items.

    Returns:
        float64 [U] by metric and cut-off; NaN for a user whose list is too short to have a value.

    Raises:
        InputError: If a metric needs training interactions or a field that there is not.
    """
    groups = lists.groups(max(ks))
    values: dict[str, Float64Array] = {}
    for k in ks:
        exposure = exposure_chances(groups, lists.numbers, k)
        for name in names:
            if name.startswith(REVENUE):
                amounts = facts.number_field(name.removeprefix(REVENUE))
                values[f"{name}@{k}"] = _hit_sums(lists, groups, np.ones(k), amounts)
            else:
                metric = BEYOND_ACCURACY[name]
                values[f"{name}@{k}"] = metric(lists, groups, exposure, k, facts)
    return values


def _hit_sums(
    lists: RankedLists, groups: TieGroups, rank_weights: Float64Array, item_weights: Float64Array
) -> Float64Array:
    """The sum of the weights of rank and item over the hits of each list, float64 [U]."""
    values = np.where(lists.is_hit, item_weights[lists.numbers], 0.0)
    return expected_gains(groups, rank_weights, values)


def _mean_of_items(values: Callable[[ItemFacts], Float64Array]) -> _Function:
    """The mean over the items of a list of a value by item number."""

    def mean(
        lists: RankedLists, groups: TieGroups, exposure: ExposureChances, k: int, facts: ItemFacts
    ) -> Float64Array:
        return mean_exposed_value(exposure, values(facts), groups.batch)

    return mean


def _information(facts: ItemFacts) -> Float64Array:
    counts = facts.counts("novelty") + 1
    information: Float64Array = -np.log2(counts / counts[: facts.n_items].sum())
    return information


def _serendipity(
    lists: RankedLists, groups: TieGroups, exposure: ExposureChances, k: int, facts: ItemFacts
) -> Float64Array:
    counts = facts.counts("serendipity")
    size = facts.size
    levels = np.unique(counts[counts > 0])
    popularity_rank = len(levels) - np.searchsorted(levels, counts)
    at_random = np.where(counts > 0, (size + 1 - popularity_rank) / size, 0.0)
    numbers, is_hit = lists.numbers[:, :k], lists.is_hit[:, :k]
    at_rank = (size - np.arange(numbers.shape[1])) / size
    surprise = np.maximum(at_rank - at_random[numbers], 0) * is_hit
    means: Float64Array = surprise.sum(axis=1) / np.clip(lists.lengths, 1, k)
    return means


def _intra_list_similarity(
    lists: RankedLists, groups: TieGroups, exposure: ExposureChances, k: int, facts: ItemFacts
) -> Float64Array:
    similarity: Float64Array = 1 - diversity(exposure, facts.similarity(), groups.batch)
    return similarity


def _debiased_recall(
    lists: RankedLists, groups: TieGroups, exposure: ExposureChances, k: int, facts: ItemFacts
) -> Float64Array:
    weights = facts.inverse_propensities("recall@ips")
    of_targets = weights[lists.target_numbers]
    total = np.bincount(lists.target_rows, of_targets, groups.batch)
    recall: Float64Array = _hit_sums(lists, groups, np.ones(k), weights) / total
    return recall


def _debiased_ndcg(
    lists: RankedLists, groups: TieGroups, exposure: ExposureChances, k: int, facts: ItemFacts
) -> Float64Array:
    weights = facts.inverse_propensities("ndcg@ips")
    of_targets = weights[lists.target_numbers]
    ideal = ideal_weighted_dcg(lists.target_rows, of_targets, groups.batch, k)
    ndcg: Float64Array = _hit_sums(lists, groups, discounts(k), weights) / ideal
    return ndcg


def _coverage(
    lists: RankedLists, groups: TieGroups, exposure: ExposureChances, k: int, facts: ItemFacts
) -> Float64Array:
    candidates = facts.catalogue()
    absence = np.zeros(len(candidates))
    add_absence(absence, exposure)
    return np.full(groups.batch, coverage(absence, candidates))


def _gini(
    lists: RankedLists, groups: TieGroups, exposure: ExposureChances, k: int, facts: ItemFacts
) -> Float64Array:
    candidates = facts.catalogue()
    places = np.bincount(exposure.items, exposure.chances, len(candidates))
    return np.full(groups.batch, gini(places[candidates].astype(np.float64)))


_Function = Callable[[RankedLists, TieGroups, ExposureChances, int, ItemFacts], Float64Array]

BEYOND_ACCURACY: Mapping[str, _Function] = {
    "novelty": _mean_of_items(_information),
    "novelty@rectools": _mean_of_items(
        lambda facts: -np.log2(np.maximum(facts.counts("novelty@rectools"), 1) / facts.n_users)
    ),
    "popularity": _mean_of_items(lambda facts: facts.counts("popularity")),
    "serendipity": _serendipity,
    "intra_list_similarity": _intra_list_similarity,
    "recall@ips": _debiased_recall,
    "ndcg@ips": _debiased_ndcg,
    "coverage": _coverage,
    "gini": _gini,
}
"""The functions by name; "revenue:FIELD" is computed apart."""
