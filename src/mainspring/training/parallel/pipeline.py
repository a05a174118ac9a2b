"""A decoder divided by layers: each process has some of its blocks, and passes states on to the next (GPipe).

The first process embeds tokens and the last one reads them off, both by the same weights: each has a copy, whose
gradients are summed after each step.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.pipelining import PipelineStage, ScheduleGPipe
from torch.utils.checkpoint import checkpoint

from mainspring.training.own.models.decoder import Decoder
from mainspring.training.own.models.masks import causal
from mainspring.training.own.models.positions import turn
from mainspring.training.own.models.stack import loss_of, places
from mainspring.training.own.world import Cast, Scaled
from mainspring.training.parallel.layout import Layout

_EMBEDDING = "embedding."


class Part(nn.Module):
    """The share of one process; its weights have the names that they have in the whole model.

    Reads ids (batch, length) where it is the first, else states (batch, length, width). Gives states, and where it is
    the last the sum of the losses (1,): its weights may be whole within ``forward`` alone. Both are in full precision;
    between them it computes within ``within``."""

    def __init__(self, model: Decoder, stage: int, layout: Layout, within: Cast = nullcontext) -> None:
        super().__init__()
        self.shape, self._within = model.shape, within
        self.first, self.last = stage == 0, stage == layout.pipeline - 1
        self.own = layout.layers_of(stage, model.shape.layers)
        for layer in range(model.shape.layers):
            if layer not in self.own:
                model.decoder.blocks[layer] = nn.Identity()
        if not self.last:
            model.decoder.norm = nn.Identity()
        self.decoder = model.decoder
        if self.first or self.last:
            self.embedding = model.embedding

    def forward(
        self, given: Tensor, *, targets: Tensor, positions: Tensor | None = None, documents: Tensor | None = None
    ) -> Tensor:
        with self._within():
            return self._forward(given, targets, positions, documents)

    def _forward(self, given: Tensor, targets: Tensor, positions: Tensor | None, documents: Tensor | None) -> Tensor:
        at = places(given, positions)
        mask = causal(given.shape[1], 0, given.device, documents=documents)
        states = self.embedding(given, at) if self.first else given
        by = turn(at, self.shape.head, self.shape.theta) if self.shape.positions == "rotary" else None
        again = self.decoder.checkpointing and self.training
        for layer in self.own:
            block, more = self.decoder.blocks[layer], (by, mask, given.shape[1] > 1)
            states = checkpoint(block, states, *more, use_reentrant=False) if again else block(states, *more)
        return loss_of(self.decoder.norm(states), self.embedding, targets)[None] if self.last else states


class Pipeline:
    """The pipeline that this process is part of."""

    def __init__(
        self, model: nn.Module, mesh: DeviceMesh, layout: Layout, device: str, within: Cast = nullcontext
    ) -> None:
        assert isinstance(model, Decoder)
        self.group = mesh.get_group()
        self.stage, self.count = mesh.get_local_rank(), layout.pipeline
        self.parts = layout.parts or 2 * layout.pipeline
        self.part = Part(model, self.stage, layout, within)
        self._device = torch.device(device)
        self._ranks = dist.get_process_group_ranks(self.group)
        self._ends = _ends(mesh)
        self._schedules: dict[tuple[tuple[int, ...], int], ScheduleGPipe] = {}
        self._scaled: Scaled = _same
        self._losses: list[Tensor] = []

    def passes(self, batch: Mapping[str, Tensor], scaled: Scaled) -> Tensor:
        """Forwards and backwards over a batch; all processes of the pipeline get the loss."""
        self._scaled, self._losses = scaled, []
        ids, targets = batch["ids"], batch["targets"]
        more = {name: each for name, each in batch.items() if name != "ids"}
        parts = min(self.parts, len(ids))
        schedule = self._schedule(tuple(ids.shape), parts)
        given = (ids,) if self.part.first else ()
        wanted = {"target": targets} if self.part.last else {}
        schedule.step(*given, **wanted, **more)
        # The first time its shapes are tried out, which is a loss too many.
        return self._told(sum(self._losses[-parts:], self._nothing()))

    @torch.no_grad()
    def look(self, batch: Mapping[str, Tensor]) -> Tensor:
        """The loss of a batch, forwards alone."""
        ids = batch["ids"]
        more = {name: each for name, each in batch.items() if name != "ids"}
        given = ids
        if not self.part.first:
            given = torch.empty((*ids.shape, self.part.shape.width), device=self._device)
            dist.recv(given, self._ranks[self.stage - 1])
        found = self.part(given, **more)
        if not self.part.last:
            dist.send(found.contiguous(), self._ranks[self.stage + 1])
            return self._told(self._nothing())
        return self._told(found.sum().double())

    def share_embedding(self) -> None:
        """Sum the gradients of both copies."""
        if self._ends is None or not (self.part.first or self.part.last):
            return
        for each in self.part.embedding.parameters():
            if each.grad is None:
                each.grad = torch.zeros_like(each)
            gradient: Any = each.grad
            dist.all_reduce(gradient.to_local() if hasattr(gradient, "to_local") else gradient, group=self._ends)

    def elsewhere(self, name: str) -> bool:
        """Whether a weight counts for another process, which has it, too."""
        return name.startswith(_EMBEDDING) and not self.part.first

    def merged(
        self, weights: Mapping[str, Tensor], moments: Mapping[str, Any]
    ) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Those of all processes of the pipeline, by name."""
        told: list[Any] = [None] * self.count
        dist.all_gather_object(told, ({n: w.cpu() for n, w in weights.items()}, dict(moments)), group=self.group)
        return (
            {name: each for held, _ in told for name, each in held.items()},
            {name: each for _, held in told for name, each in held.items()},
        )

    def _schedule(self, size: tuple[int, ...], parts: int) -> ScheduleGPipe:
        if (size, parts) not in self._schedules:
            stage = PipelineStage(self.part, self.stage, self.count, self._device, group=self.group)
            # Losses are sums: gradients add up, and are not divided by the number of parts.
            made = ScheduleGPipe(stage, parts, loss_fn=self._loss, scale_grads=False)
            self._schedules[size, parts] = made
        return self._schedules[size, parts]

    def _loss(self, losses: Tensor, _: Tensor) -> Tensor:
        loss = losses.sum()
        self._losses.append(loss.detach().double())
        return self._scaled(loss)

    def _nothing(self) -> Tensor:
        return torch.zeros((), dtype=torch.float64, device=self._device)

    def _told(self, loss: Tensor) -> Tensor:
        dist.broadcast(loss, self._ranks[-1], group=self.group)
        return loss


def _ends(mesh: DeviceMesh) -> dist.ProcessGroup | None:
    """The group of the first and the last process of this pipeline. All processes make the groups of all pipelines."""
    mine = dist.get_process_group_ranks(mesh.get_group())
    everyone: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(everyone, (mine[0], mine[-1]))
    found = None
    for ends in sorted(set(everyone)):
        made = dist.new_group(list(ends))
        if dist.get_rank() in ends:
            found = made
    return found


def _same(loss: Tensor) -> Tensor:
    return loss
