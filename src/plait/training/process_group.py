"""The group of processes that share a training; rank 0 decides and writes."""

from __future__ import annotations

import atexit
from dataclasses import dataclass
from functools import cache
from typing import Any, Self, TypeVar

from plait.errors import InputError
from plait.settings import process_rank_and_size
from plait.utils.optional_imports import require_extra

__all__ = ["ProcessGroup", "require_single_process"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ProcessGroup:
    """A process and the group it belongs to.

    Attributes:
        rank: The number of this process, from 0.
        size: The number of processes.
    """

    rank: int = 0
    size: int = 1

    @classmethod
    def current(cls) -> Self:
        """Return the group of this process.

        Raises:
            MissingExtraError: There are several processes and torch is not installed.
        """
        group = cls(*process_rank_and_size())
        if group.size > 1:
            require_extra("training in several processes")
            _leave_group_at_exit()
        return group

    @property
    def is_main(self) -> bool:
        """Whether this is the process that decides and writes, rank 0."""
        return self.rank == 0

    def broadcast(self, value: T) -> T:
        """Broadcast a value from rank 0. Collective: every process must call it.

        Args:
            value: What rank 0 sends; ignored in the others.

        Returns:
            The value of rank 0.
        """
        if self.size == 1:
            return value
        from torch import distributed

        if not distributed.is_initialized():
            from accelerate import PartialState

            for cpu in (False, True):  # without a GPU a group forms only with the CPU option
                PartialState._reset_state()  # it remembers its first answer
                PartialState(cpu=cpu)
                if distributed.is_initialized():
                    break
        values: list[Any] = [value]
        distributed.broadcast_object_list(values, src=0)
        received: T = values[0]
        return received


@cache
def _leave_group_at_exit() -> None:
    """Let this process leave its group when it ends: threads that still run would abort it."""
    atexit.register(_leave_group)


def _leave_group() -> None:
    from torch import distributed

    if distributed.is_initialized():
        distributed.destroy_process_group()


def require_single_process(command: str) -> None:
    """Check that a command was started in one process.

    Args:
        command: Its name, for the message.

    Raises:
        InputError: Several processes were started.
    """
    _, size = process_rank_and_size()
    if size > 1:
        raise InputError(
            f"{command} runs in one process, but {size} were started",
            hint="start it without torchrun or accelerate launch; plait fit shares its training",
        )
