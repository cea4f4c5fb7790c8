"""The model that answers: a bundle's pipeline with the state of the log it answers from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from plait.data.types import CandidateLists, Query, QueryBatch, StateView
from plait.errors import BundleError, MissingExtraError
from plait.pipeline.model_failures import ModelFailures
from plait.pipeline.pipeline import OnStageTimed, Pipeline
from plait.pipeline.query_completion import Completion, QueryCompleter
from plait.state import LiveState
from plait.utils.no_op_callbacks import ignore
from plait.workspace.query_encoding import HISTORY_LIMIT, encode_queries

__all__ = ["LoadedModel", "try_out"]


@dataclass(frozen=True, slots=True, eq=False)
class LoadedModel:
    """Everything that a response is computed from.

    Attributes:
        bundle: The id of the bundle.
        pipeline: The fitted pipeline.
        state: The state of the log.
        live: The same state with what the stages know beside their bundle.
        history_limit: The most events of a user that the models see.
    """

    bundle: str
    pipeline: Pipeline
    state: LiveState
    live: StateView
    history_limit: int = HISTORY_LIMIT

    def run(
        self,
        queries: Sequence[Query],
        watch: OnStageTimed = ignore,
        failures: ModelFailures | None = None,
    ) -> tuple[QueryBatch, CandidateLists]:
        """Run one batch through the pipeline.

        Args:
            queries: Valid queries of one group.
            watch: Told how long each stage took.
            failures: Collects models that fail; the others answer. None: a failure is raised.

        Returns:
            The encoded batch, and its candidates after the last step.
        """
        batch = self._encode(queries)
        return batch, self.pipeline.run(batch, watch, failures)

    def complete(self, text: str, k: int) -> list[Completion]:
        """Complete the last word of a text.

        Args:
            text: What a person has typed so far.
            k: The most completions.

        Returns:
            Those of the first model that completes texts; none without such a model.
        """
        models = self.pipeline.models
        completer = next((model for model in models if isinstance(model, QueryCompleter)), None)
        if completer is None:
            return []
        return list(completer.complete(self._encode([Query(text=text)]), k)[0])

    def _encode(self, queries: Sequence[Query]) -> QueryBatch:
        event_weights = self.pipeline.recipe.event_weights
        return encode_queries(queries, self.state, self.live, event_weights, self.history_limit)


def try_out(model: LoadedModel) -> None:
    """Answer a few queries, so that the first caller does not wait for memory and caches.

    Args:
        model: The loaded model.

    Raises:
        BundleError: If the bundle cannot answer.
        MissingExtraError: If it could with an extra.
    """
    users = [user for user in model.state.users.ids[:8] if user]
    queries = [Query(), Query(text="a"), *(Query(user=user) for user in users)]
    try:
        for query in (*queries, *queries):
            model.run([query])
    except MissingExtraError:
        raise  # another fit would need it too
    except Exception as problem:
        raise BundleError(
            f"bundle {model.bundle} cannot answer: {type(problem).__name__}: {problem}",
            hint="fit again",
        ) from problem
