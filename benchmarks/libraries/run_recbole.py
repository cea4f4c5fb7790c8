"""RecBole: sequential and general models, trained by its own Trainer, epoch by epoch.

Settings are those of the package (recbole/properties/model). All of train is trained on: RecBole's
splitting is switched off, its augmentation of sequences is not. RecBole never takes seen items out
of the lists of sequential models; here they are taken out of all, as the protocol asks.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from harness import Fold, Ints, Kit, World, in_batches, started
from recbole.config import Config
from recbole.data import create_dataset
from recbole.data.interaction import Interaction
from recbole.data.utils import create_samplers, get_dataloader
from recbole.utils import get_model, get_trainer, init_seed

SEQUENTIAL = ("BERT4Rec", "GRU4Rec", "SASRec")
GENERAL = ("BPR", "EASE", "LightGCN", "NeuMF")
NEGATIVES = {"distribution": "uniform", "sample_num": 1}


class Timed:
    """A loader that looks at the clock before every batch."""

    def __init__(self, loader: Any, kit: Kit) -> None:
        self._loader, self._kit = loader, kit

    def __iter__(self) -> Iterator[Any]:
        for batch in self._loader:
            self._kit.check_time()
            yield batch

    def __len__(self) -> int:
        return len(self._loader)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


def written(world: World, folder: Path) -> None:
    """The interactions and all item ids as RecBole's atomic files."""
    folder.mkdir(parents=True, exist_ok=True)
    name = folder.name
    with (folder / f"{name}.inter").open("w", newline="") as out:
        table = csv.writer(out, delimiter="\t")
        table.writerow(("user_id:token", "item_id:token", "timestamp:float"))
        train = world.train
        # Equal times would leave the order to chance: places keep the order that all libraries get.
        for place, (user, item) in enumerate(zip(train["user"], train["item"], strict=True)):
            table.writerow((user, item, place))
    with (folder / f"{name}.item").open("w", newline="") as out:
        table = csv.writer(out, delimiter="\t")
        table.writerow(("item_id:token",))
        table.writerows((item,) for item in range(world.n_items))


def configured(kit: Kit, settings: dict[str, Any]) -> Config:
    """RecBole's configuration: its defaults, no split of its own, nothing shown."""
    sequential = kit.model in SEQUENTIAL
    fixed = {
        "data_path": str(Path.cwd()),
        "load_col": {"inter": ["user_id", "item_id", "timestamp"], "item": ["item_id"]},
        "eval_args": {
            "split": {"RS": [1, 0, 0]},
            "order": "TO" if sequential else "RO",
            "group_by": "none",
            "mode": "full",
        },
        "train_neg_sample_args": None if sequential or kit.model == "EASE" else NEGATIVES,
        "seed": kit.seed,
        "show_progress": False,
        "use_gpu": False,
        "state": "WARNING",
    }
    return Config(model=kit.model, dataset="world", config_dict={**fixed, **settings})


def loaded(config: Config, dataset: Any) -> Any:
    """The loader of all training rows, shuffled."""
    built = dataset.build()
    sampler = create_samplers(config, dataset, built)[0]
    return get_dataloader(config, "train")(config, built[0], sampler, shuffle=True)


class Ranker:
    """Lists from RecBole's `full_sort_predict`, or from `predict` where a model has none."""

    def __init__(self, kit: Kit, config: Config, dataset: Any, model: Any) -> None:
        self._kit, self._model = kit, model
        self._length: int = config["MAX_ITEM_LIST_LENGTH"] or 0
        items, users = (
            [str(external_id) for external_id in range(count)]
            for count in (kit.world.n_items, kit.world.n_users)
        )
        self._items = np.append(dataset.token2id(dataset.iid_field, items), 0)
        known = dataset.field2token_id[dataset.uid_field]
        self._users = np.array([known.get(external_id, 0) for external_id in users])

    def __call__(self, fold: Fold) -> Ints:
        if self._kit.model == "EASE":  # weights between items answer for any history
            shape = self._model.interaction_matrix.shape
            cells = self._users[fold.users[fold.rows]], self._items[fold.values]
            ones = np.ones(len(fold.values), np.float32)
            self._model.interaction_matrix = sp.csr_matrix((ones, cells), shape=shape)
        self._model.eval()
        with torch.no_grad():
            return in_batches(fold, self._scores)

    def _scores(self, fold: Fold) -> np.ndarray[Any, Any]:
        query = {"user_id": torch.tensor(self._users[fold.users])}
        if self._kit.model in SEQUENTIAL:
            history, counts = fold.last(self._length)
            query["item_id_list"] = torch.tensor(self._items[history])
            query["item_length"] = torch.tensor(counts)
        if self._kit.model == "NeuMF":
            scores = self._score_each_user(query["user_id"])
        else:
            scores = self._model.full_sort_predict(Interaction(query)).reshape(len(fold), -1)
        return np.asarray(scores.numpy()[:, self._items[:-1]], np.float32)

    def _score_each_user(self, users: torch.Tensor) -> torch.Tensor:
        every = torch.arange(len(self._items))
        rows = [
            self._model.predict(Interaction({"user_id": user.expand(len(every)), "item_id": every}))
            for user in users
        ]
        return torch.stack(rows)


def main() -> None:
    kit = started((*SEQUENTIAL, *GENERAL), ("recbole", "torch", "numpy"))
    settings = kit.settings({})
    with kit.phase("prepare"):
        written(kit.world, Path.cwd() / "world")
        config = configured(kit, settings)
        init_seed(config["seed"], config["reproducibility"])
        dataset = create_dataset(config)
        loader = loaded(config, dataset)
    with kit.phase("train" if kit.model == "EASE" else "prepare"):  # EASE is solved when made
        model = get_model(kit.model)(config, loader.dataset)
        trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, model)
        ranked = Ranker(kit, config, dataset, model)
        timed = Timed(loader, kit)
    if kit.model == "EASE":
        kit.look(1, ranked)
    else:
        kit.train(trainer.epochs, lambda epoch: trainer._train_epoch(timed, epoch - 1), ranked)
    kit.write()


if __name__ == "__main__":
    main()
