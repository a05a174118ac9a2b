"""The processes that train one model together, as the loop sees them. ``Alone`` is one process; what splits data,
weights or layers over several is another ``World``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from mainspring.training.own.models.model_files import put

Loss = Callable[[nn.Module, Mapping[str, Tensor]], Tensor]
Scaled = Callable[[Tensor], Tensor]
Cast = Callable[[], AbstractContextManager[Any]]
"""The precision of the arithmetic."""


def both_ways(model: nn.Module, batch: Mapping[str, Tensor], loss: Loss, scaled: Scaled) -> Tensor:
    """Forwards and backwards through a model that this process has whole, or seems to have."""
    found = loss(model, batch)
    scaled(found).backward()
    return found.detach()


class World(Protocol):
    """How many processes there are, which one this is, and how they exchange what the loop needs."""

    @property
    def rank(self) -> int:
        """Which share of each batch is this process's: 0 to before ``size``. Processes that split one copy of the
        model among them have the same."""
        ...

    @property
    def size(self) -> int:
        """Into how many shares a batch is divided."""
        ...

    @property
    def factor(self) -> float:
        """What the loss is multiplied by before the pass backwards, so that gradients come out as the sum over
        processes: ``size`` where they are averaged (DDP, FSDP), 1 where they are summed."""
        ...

    def wrap(self, model: nn.Module, within: Cast = nullcontext) -> nn.Module:
        """The model that the loop calls, on its device. The loop computes losses within ``within``; who does not call
        its loss computes within it, too."""
        ...

    def optimiser(self, groups: Sequence[Mapping[str, Any]], **options: Any) -> torch.optim.Optimizer:
        """AdamW over groups of weights; it may keep a part of its state here, and the rest elsewhere."""
        ...

    def passes(self, model: nn.Module, batch: Mapping[str, Tensor], loss: Loss, scaled: Scaled) -> Tensor:
        """A pass forwards and one backwards over a part of a batch. Returns the loss, detached; where several processes
        divide one model among them, each gets the same. ``scaled`` gives what the pass backwards begins with."""
        ...

    def look(self, model: nn.Module, batch: Mapping[str, Tensor], loss: Loss) -> Tensor:
        """The loss of a batch, forwards alone; each process of a share gets it."""
        ...

    def together(self, model: nn.Module, *, last: bool) -> AbstractContextManager[Any]:
        """Around each part of a step; gradients are exchanged in the ``last`` one."""
        ...

    def sum(self, values: Tensor) -> Tensor:
        """Over the shares; each process gets it."""
        ...

    def gather(self, told: Any) -> list[Any]:
        """What each process tells, by rank; the first one gets it."""
        ...

    def clip(self, model: nn.Module, most: float) -> float:
        """Scale the gradients of all processes to a norm of at most ``most``; returns the norm before."""
        ...

    def state(self, model: nn.Module, optimiser: torch.optim.Optimizer | None) -> tuple[dict[str, Tensor], Any]:
        """Weights and the optimiser's state, whole and in one process's form whatever the world, so that another one
        can go on. All processes call it; the first one gets them."""
        ...

    def load(
        self, model: nn.Module, optimiser: torch.optim.Optimizer | None, weights: dict[str, Tensor], kept: Any
    ) -> None:
        """The reverse of ``state``."""
        ...


class Alone:
    """One process."""

    rank, size, factor = 0, 1, 1.0

    def wrap(self, model: nn.Module, within: Cast = nullcontext) -> nn.Module:  # noqa: ARG002
        return model

    def optimiser(self, groups: Sequence[Mapping[str, Any]], **options: Any) -> torch.optim.Optimizer:
        return torch.optim.AdamW([dict(each) for each in groups], **options)

    def passes(self, model: nn.Module, batch: Mapping[str, Tensor], loss: Loss, scaled: Scaled) -> Tensor:
        return both_ways(model, batch, loss, scaled)

    def look(self, model: nn.Module, batch: Mapping[str, Tensor], loss: Loss) -> Tensor:
        return loss(model, batch)

    def together(self, model: nn.Module, *, last: bool) -> AbstractContextManager[Any]:  # noqa: ARG002
        return nullcontext()

    def sum(self, values: Tensor) -> Tensor:
        return values

    def gather(self, told: Any) -> list[Any]:
        return [told]

    def clip(self, model: nn.Module, most: float) -> float:
        return float(nn.utils.clip_grad_norm_(model.parameters(), most))

    def state(self, model: nn.Module, optimiser: torch.optim.Optimizer | None) -> tuple[dict[str, Tensor], Any]:
        return model.state_dict(), None if optimiser is None else optimiser.state_dict()

    def load(
        self, model: nn.Module, optimiser: torch.optim.Optimizer | None, weights: dict[str, Tensor], kept: Any
    ) -> None:
        put(model, weights)
        if optimiser is not None:
            optimiser.load_state_dict(kept)
