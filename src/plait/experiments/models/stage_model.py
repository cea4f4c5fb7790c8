"""Any stage as a single model: one of your own, or one of recipes that has no class of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from plait.errors import InputError
from plait.experiments.models.estimator import Estimator
from plait.pipeline.stage import Stage
from plait.utils.plain_arguments import without_numpy

__all__ = ["FromStage"]


class FromStage(Estimator):
    """A stage as a model: a class of your own, or a stage of recipes such as "repeat".

    `fit(weight="value")` multiplies the weights of interactions by their values; whether the stage
    reads these is its own affair.

    Args:
        source: The class of the stage, at the top of its module; its path "module:Class"; or the
            name that recipes have for it.
        settings: Settings of the stage, by keyword.

    Example:
        >>> import plait
        >>> from plait import models
        >>> train = plait.Dataset.from_arrays("aaabb", "xyxyz", [1, 2, 3, 1, 2])
        >>> model = models.FromStage("repeat", basket_decay=0.5)
        >>> model.fit(train).recommend(["a"], k=1, seen="keep")["item"].to_list()
        ['x']
    """

    weight_settings = MappingProxyType({})

    def __init__(self, source: type[Stage] | str, **settings: Any) -> None:
        self.source = _path_of(source)
        self._stated: dict[str, Any] = without_numpy(settings)
        self.stage()

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the source and all settings of the stage by name.

        Args:
            deep: Ignored; scikit-learn passes it.
        """
        config: Any = self.stage().config
        return {"source": self.source, **dataclasses.asdict(config), **self._stated}

    @property
    def settings(self) -> dict[str, Any]:
        """The source, and the settings that were stated."""
        return {"source": self.source, **self._stated}

    def clone(self) -> FromStage:
        """Return a model of the same settings."""
        return type(self)(self.source, **self._stated)

    def set_params(self, **settings: Any) -> FromStage:
        """Change settings.

        Args:
            settings: New values by name.

        Returns:
            This model.

        Raises:
            RecipeError: If there is no such setting, or a value is not allowed.
        """
        source = settings.pop("source", self.source)
        self.__dict__ = vars(type(self)(source, **{**self._stated, **settings}))
        return self

    def recipe_table(self) -> dict[str, Any]:
        """Return the table that a recipe has for this model: the stage and its settings."""
        return {"stage": self.source, **self._stated}

    def _settings(self) -> Mapping[str, Any]:
        return self._stated

    def __repr__(self) -> str:
        stated = "".join(f", {name}={value!r}" for name, value in self._stated.items())
        return f"FromStage({self.source!r}{stated})"


def _path_of(source: Any) -> str:
    """The name or path under which recipes find a stage."""
    if isinstance(source, str):
        return source
    if not isinstance(source, type) or not issubclass(source, Stage):
        message = f"source is {source!r}, expected a subclass of Stage, or the name of a stage"
        raise InputError(message, hint="docs: adding a model", field="source")
    if "." in source.__qualname__:
        message = f"{source.__qualname__} is no class at the top of a module"
        raise InputError(message, hint="define it there, so that recipes find it", field="source")
    return f"{source.__module__}:{source.__name__}"
