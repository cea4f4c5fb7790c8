"""RecTools: SASRec, BERT4Rec and HSTU of its transformers, and its EASE.

`SASRec` has the settings that blondered/transformer_benchmark found best on this very data (64
factors, one block, one head, history 50, 256 sampled negatives); `SASRec-defaults` those of the
package. Epochs are `fit_partial` of one epoch each, so that validation can be looked at between.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from harness import Fold, Ints, K, Kit, TimeUp, started
from pytorch_lightning import Callback, Trainer, seed_everything
from rectools import Columns
from rectools.dataset import Dataset, Interactions
from rectools.models import BERT4RecModel, EASEModel, HSTUModel, SASRecModel

EPOCHS = 200
"""At most; early stopping ends before."""

PUBLISHED = {
    "n_factors": 64,
    "n_blocks": 1,
    "n_heads": 1,
    "session_max_len": 50,
    "dropout_rate": 0.2,
    "lr": 1e-3,
    "batch_size": 128,
    "loss": "sampled_softmax",
    "n_negatives": 256,
}

DEEP: dict[str, tuple[type[Any], dict[str, Any]]] = {
    "BERT4Rec": (BERT4RecModel, {"n_factors": 64, "n_heads": 1, "session_max_len": 50}),
    # The data have positions and no times: attention to differences of time has nothing to see.
    # Its scores are cosines, which the paper divides by 0.05 and the package, unless told, by 1.
    "HSTU": (
        HSTUModel,
        {
            **PUBLISHED,
            "relative_time_attention": False,
            "lightning_module_kwargs": {"logits_t": 0.05},
        },
    ),
    "SASRec": (SASRecModel, PUBLISHED),
    "SASRec-defaults": (SASRecModel, {}),
}

EASE_GRID = {"regularization": [50.0, 100.0, 250.0, 1000.0, 2000.0]}


class Clock(Callback):
    """Lightning hears when the minutes are over."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    def __deepcopy__(self, _memo: object) -> Clock:
        """RecTools copies its trainer before a fit; there is one clock."""
        return self

    def on_train_batch_end(self, *_ignored: Any) -> None:
        self._kit.check_time()


def frame(users: Any, items: Any, times: Any) -> pd.DataFrame:
    """Interactions as RecTools reads them; what has places and no times is one a minute."""
    moments = pd.Timestamp("2000-01-01") + pd.to_timedelta(np.asarray(times), unit="min")
    return pd.DataFrame(
        {Columns.User: users, Columns.Item: items, Columns.Weight: 1.0, Columns.Datetime: moments}
    )


def histories(fold: Fold) -> pd.DataFrame:
    """The histories of a fold, by the numbers of their users."""
    return frame(fold.users[fold.rows], fold.values, np.arange(len(fold.values)))


def ranker(kit: Kit, model: Any, trained_on: Dataset) -> Callable[[Fold], Ints]:
    """Lists from RecTools' own `recommend`, seen items filtered by it."""
    known = trained_on.item_id_map.external_ids

    def history_of(fold: Fold) -> Dataset:
        if kit.model != "EASE":
            return Dataset.construct(histories(fold))
        # EASE has a row for each item of train, in train's order, and for no other.
        users, items = trained_on.user_id_map, trained_on.item_id_map
        rows = histories(fold)
        rows = rows[rows[Columns.Item].isin(known) & rows[Columns.User].isin(users.external_ids)]
        return Dataset(users, items, Interactions.from_raw(rows, users, items))

    def ranked(fold: Fold) -> Ints:
        history = history_of(fold)
        recommended = model.recommend(
            fold.users,
            history,
            k=min(K, len(known)),
            filter_viewed=True,
            on_unsupported_targets="ignore",
        )
        row_of = np.full(kit.world.n_users, -1)
        row_of[fold.users] = np.arange(len(fold))
        lists = np.full((len(fold), K), -1, np.int32)
        rows = row_of[recommended[Columns.User].to_numpy()]
        lists[rows, recommended[Columns.Rank].to_numpy() - 1] = recommended[Columns.Item].to_numpy()
        return lists

    return ranked


def ease(kit: Kit, train: Dataset) -> None:
    """Solved at once; the default regularisation, then others of the grid."""
    kit.patience = 0
    for number, settings in enumerate(kit.tried({}, EASE_GRID), 1):
        model = EASEModel(**settings)
        with kit.phase("train"):
            model.fit(train)
        kit.look(number, ranker(kit, model, train))


def transformer(kit: Kit, train: Dataset) -> None:
    """Epoch by epoch with early stopping."""
    kind, published = DEEP[kit.model]
    settings = kit.settings(published)
    with kit.phase("prepare"):
        seed_everything(kit.seed)
        model = kind(**settings, epochs=1)
        model._trainer = Trainer(
            max_epochs=1,
            accelerator="cpu",
            devices=1,
            callbacks=[Clock(kit)],
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
            logger=False,
        )

    def epoch(_number: int) -> None:
        try:
            model.fit_partial(train, min_epochs=1, max_epochs=1)
        except TimeUp:
            model.is_fitted = True  # as far as it came: it is asked once more
            raise

    kit.train(EPOCHS, epoch, ranker(kit, model, train))


def main() -> None:
    warnings.filterwarnings("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    models = ("EASE", *DEEP)
    kit = started(models, ("rectools", "pytorch-lightning", "torch", "numpy"))
    arrays = kit.world.train
    with kit.phase("prepare"):
        # Places in the order that all libraries get: equal times would leave it to chance.
        positions = np.arange(len(arrays["user"]))
        train = Dataset.construct(frame(arrays["user"], arrays["item"], positions))
    (ease if kit.model == "EASE" else transformer)(kit, train)
    kit.write()


if __name__ == "__main__":
    main()
