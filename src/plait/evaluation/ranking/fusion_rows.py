"""Rows beside `fused`: the same models under another method, or without one of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from plait.data.types import CandidateLists, Dataset
from plait.evaluation.results.report import FUSED
from plait.pipeline.pipeline import Pipeline
from plait.ranking.fusion.candidate_columns import without_model
from plait.ranking.fusion.config import FUSION_METHODS, RANKER_METHODS, FusionMethod
from plait.ranking.fusion.fuse import Fuse
from plait.training.pipeline_fit import Lesson
from plait.utils.optional_imports import is_installed

__all__ = [
    "NO_ROWS",
    "ON_VALIDATION",
    "WITHOUT",
    "FusionOptions",
    "FusionRow",
    "FusionRows",
    "absent_rows",
    "is_fusion_row",
]

WITHOUT = "without:"
"""The rows without a model begin with this."""

ON_VALIDATION = ":validation"
"""The rows of rankers that learned from validation targets, which leave-one-out without a second
fit does not allow to the served one, end with this."""


@dataclass(frozen=True, slots=True, eq=False)
class FusionRow:
    """A fusion that was learned for a row of its own.

    Attributes:
        name: The name of the row.
        step: The learned step.
        left_out: The model that it does without; "": none.
    """

    name: str
    step: Fuse
    left_out: str = ""

    def pipeline(self, pipeline: Pipeline, train: Dataset) -> Pipeline:
        """The pipeline of the recipe with this fusion.

        Args:
            pipeline: The fitted pipeline of the recipe.
            train: The data that it was fitted on.
        """
        steps = tuple(
            self.step.fit(train) if isinstance(step, Fuse) else step for step in pipeline.steps
        )
        return replace(pipeline, steps=steps)

    def candidates(self, items: CandidateLists) -> CandidateLists:
        """The candidates that this row ranks.

        Args:
            items: The candidates of all models.
        """
        return without_model(items, self.left_out) if self.left_out else items


@dataclass(frozen=True, slots=True)
class FusionOptions:
    """Which rows of other fusions an evaluation has.

    Attributes:
        methods: Whether there is a row for each method.
        ablate: Whether there is a row without each model.
    """

    methods: bool = False
    ablate: bool = False

    @property
    def any_row(self) -> bool:
        """Whether there is any."""
        return self.methods or self.ablate


_PACKAGES = {"lambdarank": ("lightgbm", "deep")}
"""By method, the package that it needs, and the extra of Plait that installs it."""

NO_ROWS = FusionOptions()
"""Only the fusion of the recipe."""


@dataclass(slots=True)
class FusionRows:
    """Learns the fusions of further rows from what the served one learned from.

    Attributes:
        options: Which rows there are.
        rows: The rows that were learned.
    """

    options: FusionOptions
    rows: list[FusionRow] = field(default_factory=list)

    def on_learned(self, pipeline: Pipeline, lesson: Lesson, inner: Lesson | None) -> None:
        """Learn the rows: the callback that fitting takes as `on_learned`.

        Args:
            pipeline: The pipeline whose fusion was learned.
            lesson: What its weights learned from.
            inner: What a ranker may learn from instead; None: from the same.
        """
        fuse = next((step for step in pipeline.steps if isinstance(step, Fuse)), None)
        if fuse is None:
            return
        self.rows = []
        if self.options.methods:
            self.rows += _method_rows(fuse, lesson, inner)
        names = [model.name for model in pipeline.models]
        if self.options.ablate and len(names) > 1:
            self.rows += [_row_without(fuse, name, lesson, inner) for name in names]


def absent_rows(options: FusionOptions) -> dict[str, str]:
    """Name the rows that are left out because a package is not installed.

    Args:
        options: Which rows were asked for.

    Returns:
        By row, the extra of Plait that installs what it needs.
    """
    return {
        f"{FUSED}:{method}": extra
        for method, (package, extra) in _PACKAGES.items()
        if options.methods and not is_installed(package)
    }


def is_fusion_row(name: str) -> bool:
    """Tell whether a row is that of another fusion.

    Args:
        name: The name of the row, with or without that of its recipe.
    """
    row = name.rpartition("/")[2]
    return row.startswith((f"{FUSED}:", WITHOUT))


def _method_rows(fuse: Fuse, lesson: Lesson, inner: Lesson | None) -> list[FusionRow]:
    """A row for every other method whose package is installed."""
    rows = []
    absent = absent_rows(FusionOptions(methods=True))
    for method in FUSION_METHODS:
        if f"{FUSED}:{method}" in absent:
            continue
        if method != fuse.config.method:
            step = _with_method(fuse, method, lesson, inner)
            rows.append(FusionRow(f"{FUSED}:{method}", step))
        if method in RANKER_METHODS and inner is not None:
            step = _with_method(fuse, method, lesson, None)
            rows.append(FusionRow(f"{FUSED}:{method}{ON_VALIDATION}", step))
    return rows


def _with_method(fuse: Fuse, method: FusionMethod, lesson: Lesson, inner: Lesson | None) -> Fuse:
    """The step under another method, learned."""
    step = fuse.with_method(method)
    if step.learned is None:
        step = step.learn_weights(lesson.queries, lesson.items, lesson.targets)
    return _with_ranker(step, lesson if inner is None else inner)


def _with_ranker(step: Fuse, lesson: Lesson) -> Fuse:
    """The step with the ranker that its method learns, if any."""
    if not step.has_ranker:
        return step
    fitted = step.fit(lesson.train)
    return step.with_ranker_of(fitted.learn_ranker(lesson.queries, lesson.items, lesson.targets))


def _row_without(fuse: Fuse, model: str, lesson: Lesson, inner: Lesson | None) -> FusionRow:
    """The row of the fusion without a model."""
    step = fuse.learn_weights(lesson.queries, without_model(lesson.items, model), lesson.targets)
    source = lesson if inner is None else inner
    reduced = replace(source, items=without_model(source.items, model))
    return FusionRow(f"{WITHOUT}{model}", _with_ranker(step, reduced), model)
