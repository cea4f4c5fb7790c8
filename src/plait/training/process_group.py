"""Processes that were started together to share a training: the first one decides and writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self, TypeVar

from plait.errors import InputError
from plait.settings import process_rank_and_size
from plait.utils.optional_imports import require_extra

__all__ = ["ProcessGroup", "require_single_process"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ProcessGroup:
    """One process of `size`; its number is `rank`, the first has 0."""

    rank: int = 0
    size: int = 1

    @classmethod
    def here(cls) -> Self:
        """This process and those that were started with it; MissingExtraError without torch."""
        found = cls(*process_rank_and_size())
        if found.size > 1:
            require_extra("training in several processes")
        return found

    @property
    def first(self) -> bool:
        """Whether this is the process that decides and writes."""
        return self.rank == 0

    def told(self, value: T) -> T:
        """What the first process says, in every process; all of them have to come here."""
        if self.size == 1:
            return value
        from torch import distributed

        if not distributed.is_initialized():
            from accelerate import PartialState

            for cpu in (False, True):  # without a GPU they only meet if told to do so on CPUs
                PartialState._reset_state()  # it remembers the first answer that it gave
                PartialState(cpu=cpu)
                if distributed.is_initialized():
                    break
        said: list[Any] = [value]
        distributed.broadcast_object_list(said, src=0)
        found: T = said[0]
        return found


def require_single_process(what: str) -> None:
    """InputError where several processes were started for `what`, which one does by itself."""
    _, size = process_rank_and_size()
    if size > 1:
        raise InputError(
            f"{what} runs in one process, and {size} were started",
            hint="start it without torchrun or accelerate launch; plait fit shares its training",
        )
