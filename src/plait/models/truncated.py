"""Ridge regressions of few items each: linear item models for catalogues too large to invert.

In the line of SLIM (Ning & Karypis, ICDM 2011) and of the sparse approximation of EASE by Steck
(NeurIPS 2019): each item is predicted from the `among` items that come with it most, measured
against their popularity. Where `among` covers all items this is the dense solution itself. Memory
and time grow with the number of items, not with its square; events are read block by block.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy import sparse

from plait.core.types import Dataset, Floats, Longs
from plait.errors import PlaitError
from plait.models.cooccurrence import PairConfig, baskets
from plait.models.profile import interaction_matrix, strongest

__all__ = ["announcing", "together", "truncated"]

_BLOCK = 512
_CELLS = 1 << 22
"""How many entries of small matrices are solved at a time."""

_HELD = 400
"""So many entries of each row of X'X are held, the largest; the rest counts as zero."""

Places = npt.NDArray[np.int64]


def truncated(
    dataset: Dataset, config: PairConfig, *, l2: float, among: int, order: bool
) -> sparse.csr_matrix:
    """float32 CSR [n, n]: how strongly the row's item announces the column's.

    At most `among` entries a column, beside the item itself. With `order` the ordered pairs of
    `plait.models.cooccurrence` are predicted, else whether the item was taken (EASE: an item does
    not predict itself). Raises PlaitError where `l2` is too weak for a matrix to be inverted.
    """
    taken = interaction_matrix(dataset)
    gram = together(taken, _HELD)
    scale = 1 / np.sqrt(np.maximum(gram.diagonal(), 1))
    wanted = announcing(dataset, config) if order else _others(gram)
    parts: list[sparse.csr_matrix] = []
    for place, targets in enumerate(wanted):
        ranked = (targets @ sparse.diags_array(scale.astype(np.float32))).tocsr()
        if order:  # an item takes part in what foretells it: who has it lately need not be told
            ranked = ranked + _itself(ranked, place * _BLOCK)
        parts.append(
            _solved(
                gram,
                targets,
                strongest(_foremost(ranked.tocsr(), among + 1, ties=True), among + order),
                l2,
            )
        )
    if not parts:
        return sparse.csr_matrix((0, 0), dtype=np.float32)
    return sparse.vstack(parts).T.tocsr()


def together(taken: sparse.csr_matrix, held: int) -> sparse.csr_matrix:
    """float32 CSR [n, n]: X'X of zeros and ones `taken` [users, n], symmetric; about the `held`
    largest entries of every row.
    """
    turned = taken.T.tocsr()
    blocks = [
        _foremost((turned[start : start + _BLOCK] @ taken).tocsr(), held, ties=False)
        for start in range(0, turned.shape[0], _BLOCK)
    ]
    if not blocks:
        return sparse.csr_matrix((0, 0), dtype=np.float32)
    found = sparse.vstack(blocks).tocsr()
    own = sparse.diags_array(np.asarray(taken.sum(axis=0), np.float32).ravel(), format="csr")
    whole = found.maximum(found.T).maximum(own).tocsr()
    whole.sort_indices()
    return whole


def announcing(dataset: Dataset, config: PairConfig) -> Iterator[sparse.csr_matrix]:
    """`pairs` of `plait.models.cooccurrence`, turned, in blocks of rows: CSR [block, n].

    The row's item is announced, the column's announces. Never more than a block is in memory.
    """
    rows, users = baskets(dataset)
    sizes = np.maximum(np.asarray(rows.sum(axis=1)).ravel(), 1)
    scaled = (sparse.diags_array((sizes**-config.basket_norm).astype(np.float32)) @ rows).tocsr()
    worth = np.ones(len(users), np.float32)
    if config.damp_history:
        lengths = np.bincount(dataset.interactions.users, minlength=dataset.n_users)
        worth = (1 / np.log1p(lengths[users])).astype(np.float32)
    whose = (sparse.diags_array(worth) @ scaled).T.tocsr()  # items x baskets
    for start in range(0, dataset.n_items, _BLOCK):
        yield _announced(whose[start : start + _BLOCK], scaled, users, config, start)


def _announced(
    mine: sparse.csr_matrix,
    scaled: sparse.csr_matrix,
    users: Longs,
    config: PairConfig,
    start: int,
) -> sparse.csr_matrix:
    """One block of `announcing`: `mine` [block, baskets] says where its items were taken."""
    same = (mine @ scaled).tocoo()
    kept = same.row + start != same.col
    within = sparse.csr_matrix((same.data[kept], (same.row[kept], same.col[kept])), same.shape)
    return (within + _around(mine, users, config) @ scaled).tocsr().astype(np.float32)


def _around(mine: sparse.csr_matrix, users: Longs, config: PairConfig) -> sparse.csr_matrix:
    """CSR [block, baskets]: what every basket before or after counts for the items of `mine`."""
    entries = mine.tocoo()
    rows, places, values = [], [], []
    for distance in range(1, config.window + 1):
        worth = config.discount ** (distance - 1)
        for step, share in ((-distance, worth), (distance, worth * config.backward)):
            at = entries.col + step
            inside = (at >= 0) & (at < len(users))
            inside[inside] &= users[at[inside]] == users[entries.col[inside]]
            rows.append(entries.row[inside])
            places.append(at[inside])
            values.append(entries.data[inside] * np.float32(share))
    if not rows:
        return sparse.csr_matrix(mine.shape, dtype=np.float32)
    parts = (np.concatenate(values), (np.concatenate(rows), np.concatenate(places)))
    return sparse.csr_matrix(parts, shape=mine.shape)


def _foremost(matrix: sparse.csr_matrix, count: int, *, ties: bool) -> sparse.csr_matrix:
    """The `count` largest of each row, and with `ties` whatever equals the last of them.

    Without, where those are more than as many again, none of them: memory stays bounded, and which
    of them stay does not go by their numbers.
    """
    kept = np.ones(matrix.nnz, np.bool_)
    for row in np.flatnonzero(np.diff(matrix.indptr) > count).tolist():
        part = slice(matrix.indptr[row], matrix.indptr[row + 1])
        values = matrix.data[part]
        border = np.partition(values, len(values) - count)[len(values) - count]
        kept[part] = values >= border
        if not ties and kept[part].sum() > 2 * count:
            kept[part] = values > border
    before = np.concatenate([[0], np.cumsum(kept)])
    parts = (matrix.data[kept], matrix.indices[kept], before[matrix.indptr])
    return sparse.csr_matrix(parts, shape=matrix.shape)


def _itself(block: sparse.csr_matrix, start: int) -> sparse.csr_matrix:
    """For each row of a block an entry above all others, at the item of that row."""
    inside = np.arange(block.shape[0])
    most = np.full(len(inside), 1 + block.data.max(initial=0), np.float32)
    return sparse.csr_matrix((most, (inside, inside + start)), shape=block.shape)


def _others(gram: sparse.csr_matrix) -> Iterator[sparse.csr_matrix]:
    """X'X in blocks of rows, an item with itself left out."""
    bare = gram.copy()
    bare.setdiag(0)
    bare.eliminate_zeros()
    for start in range(0, bare.shape[0], _BLOCK):
        yield bare[start : start + _BLOCK]


def _solved(
    gram: sparse.csr_matrix, targets: sparse.csr_matrix, chosen: sparse.csr_matrix, l2: float
) -> sparse.csr_matrix:
    """CSR [block, n]: the ridge weights of the `chosen` entries of each row of `targets`."""
    chosen.sort_indices()
    targets.sort_indices()
    counts = np.diff(chosen.indptr).astype(np.int64)
    rows = np.repeat(np.arange(len(counts)), counts)
    wanted = _read(targets, rows, chosen.indices)
    found = np.zeros(chosen.nnz, np.float32)
    order = np.argsort(counts, kind="stable")  # rows of like length go together
    order = order[counts[order] > 0]
    while len(order):
        width = int(counts[order[-1]])
        many = max(1, _CELLS // width**2)
        batch, order = order[-many:], order[:-many]
        found = _filled(found, gram, chosen, wanted, batch, width, l2)
    return sparse.csr_matrix((found, chosen.indices, chosen.indptr), shape=chosen.shape)


def _filled(
    found: Floats,
    gram: sparse.csr_matrix,
    chosen: sparse.csr_matrix,
    wanted: Floats,
    batch: Places,
    width: int,
    l2: float,
) -> Floats:
    """`found` with the weights of the rows `batch` of `chosen`, each at most `width` long."""
    lengths = np.diff(chosen.indptr)[batch]
    there = np.arange(width) < lengths[:, None]
    places = np.where(there, chosen.indptr[batch][:, None] + np.arange(width), 0)
    items = np.where(there, chosen.indices[places], 0)
    upper, lower = np.triu_indices(width)
    both = there[:, upper] & there[:, lower]
    small = np.zeros((len(batch), width, width), np.float32)
    values = _read(gram, items[:, upper].ravel(), items[:, lower].ravel()).reshape(both.shape)
    small[:, upper, lower] = small[:, lower, upper] = np.where(both, values, 0)
    inside = np.arange(width)
    small[:, inside, inside] += np.where(there, np.float32(l2), 1)
    right = np.where(there, wanted[places], 0).astype(np.float32)
    try:
        weights = np.linalg.solve(small, right[:, :, None])[:, :, 0]
    except np.linalg.LinAlgError as problem:
        raise PlaitError("linear: the ridge is too weak to invert", hint="raise l2") from problem
    found[places[there]] = weights[there]
    return found


def _read(matrix: sparse.csr_matrix, rows: Places, columns: Places) -> Floats:
    """Entries of a CSR matrix, float32."""
    if not len(rows):
        return np.zeros(0, np.float32)
    return np.asarray(matrix[rows, columns], np.float32).ravel()
