"""Many processes as the loop sees them: DDP, ZeRO 1 to 3, tensor, pipeline and 3-D parallelism in one ``World``.

Processes stand in a mesh of pipeline x data x tensor. What divides the matrices (tensor) and the layers (pipeline) is
put on first, what shares the data around it, as torchtitan does it. Everything that goes over the wire is torch's:
DistributedDataParallel, ZeroRedundancyOptimizer, ``fully_shard`` (FSDP2), ``parallelize_module`` and ``ScheduleGPipe``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.checkpoint import state_dict as dcp
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.optim import ZeroRedundancyOptimizer
from torch.distributed.tensor import DTensor, Replicate
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.nn.parallel import DistributedDataParallel

from mainspring.core.errors import InvalidRequest
from mainspring.training import several
from mainspring.training.own.models.layers import Block
from mainspring.training.own.models.model_files import put
from mainspring.training.own.world import Cast, Loss, Scaled, both_ways
from mainspring.training.parallel import gathered_state
from mainspring.training.parallel.layout import Layout
from mainspring.training.parallel.pipeline import Pipeline

_DIVIDED = {
    "attention.query": ColwiseParallel,
    "attention.key": ColwiseParallel,
    "attention.value": ColwiseParallel,
    "attention.out": RowwiseParallel,
    "cross.query": ColwiseParallel,
    "cross.key": ColwiseParallel,
    "cross.value": ColwiseParallel,
    "cross.out": RowwiseParallel,
    "feed_forward.gate": ColwiseParallel,
    "feed_forward.up": ColwiseParallel,
    "feed_forward.down": RowwiseParallel,
}
"""Megatron's division (Shoeybi et al. 2019): heads and inner dimensions are shared out, so that each process needs the
others once after attention and once after the feed-forward layers."""
_FULL = dcp.StateDictOptions(full_state_dict=True, cpu_offload=False)


@contextmanager
def processes(layout: Layout, device: str = "cpu") -> Iterator[Mesh]:
    """Join the processes of the run (``training.several``). Raises ``InvalidRequest`` if there are not as many as the
    layout has."""
    there = several.count()
    if there != layout.processes:
        raise InvalidRequest(
            f"{there} processes run, and the layout has {layout.processes}",
            remedy=f"torchrun --nproc-per-node {layout.processes} ...",
            param="processes",
        )
    if device == "cuda":
        torch.cuda.set_device(several.local_rank())
    dist.init_process_group("nccl" if device == "cuda" else "gloo", **cast(Any, several.meeting()))
    try:
        yield Mesh(layout, device)
        # Who is done first waits: others may still be reading from it.
        dist.barrier()
    finally:
        dist.destroy_process_group()


class Mesh:
    """A ``training.own.world.World`` of the processes that run."""

    def __init__(self, layout: Layout, device: str = "cpu") -> None:
        self.layout = layout
        names = ("pipeline", "data", "tensor")
        sizes = (layout.pipeline, layout.data, layout.tensor)
        self.mesh: DeviceMesh = init_device_mesh(device, sizes, mesh_dim_names=names)
        self.stage, self.rank, self.column = (self.mesh.get_local_rank(each) for each in names)
        self.size = layout.data
        self._device = device
        self._pipeline: Pipeline | None = None
        self._names: list[list[str]] = []
        self._sharded = layout.shard in ("gradients", "weights")
        # Only whole models are DDP's; beside tensors and layers that are divided, gradients are summed by hand.
        self._replicated = layout.data > 1 and not self._sharded and layout.tensor == layout.pipeline == 1

    @property
    def factor(self) -> float:
        averaged = self._sharded or self._replicated
        return float(self.size) if averaged else 1.0

    def wrap(self, model: nn.Module, within: Cast = nullcontext) -> nn.Module:
        """Divide the model. Raises ``InvalidRequest`` if it cannot be."""
        self.layout.check(cast(Any, model).shape)
        self._names = gathered_state.grouped(model)
        if self.layout.pipeline > 1:
            self._pipeline = Pipeline(model, self.mesh["pipeline"], self.layout, self._device, within)
            model = self._pipeline.part
        if self.layout.tensor > 1:
            for block in _blocks(model):
                names = dict(block.named_modules())
                divided = {name: style() for name, style in _DIVIDED.items() if name in names}
                parallelize_module(block, self.mesh["tensor"], divided)
        if self._sharded:
            kept = self.layout.shard == "gradients"
            for block in _blocks(model):
                fully_shard(block, mesh=self.mesh["data"], reshard_after_forward=not kept)
            fully_shard(model, mesh=self.mesh["data"], reshard_after_forward=not kept)
        elif self._replicated:
            return DistributedDataParallel(model, process_group=self.mesh["data"].get_group())
        return model

    def optimiser(self, groups: Sequence[Mapping[str, Any]], **options: Any) -> torch.optim.Optimizer:
        given = [dict(each) for each in groups]
        if self.layout.shard == "optimiser" and self.layout.data > 1:
            return ZeroRedundancyOptimizer(given, optimizer_class=torch.optim.AdamW, **options)
        # Weights of several meshes cannot be updated by one kernel.
        return torch.optim.AdamW(given, foreach=False, **options)

    def passes(self, model: nn.Module, batch: Mapping[str, Tensor], loss: Loss, scaled: Scaled) -> Tensor:
        if self._pipeline is None:
            return both_ways(model, batch, loss, scaled)
        return self._pipeline.passes(batch, scaled)

    def look(self, model: nn.Module, batch: Mapping[str, Tensor], loss: Loss) -> Tensor:
        return loss(model, batch) if self._pipeline is None else self._pipeline.look(batch)

    @contextmanager
    def together(self, model: nn.Module, *, last: bool) -> Iterator[None]:
        """Gradients add up here until the ``last`` part, and are exchanged then."""
        waits: AbstractContextManager[Any] = nullcontext()
        if isinstance(model, DistributedDataParallel) and not last:
            waits = model.no_sync()
        if self._sharded:
            cast(Any, model).set_requires_gradient_sync(last)
        with waits:
            yield
        if not last:
            return
        if self._pipeline is not None:
            self._pipeline.share_embedding()
        if self.layout.data > 1 and not self._sharded and not self._replicated:
            for each in _gradients(model):
                dist.all_reduce(_local(each), group=self.mesh["data"].get_group())

    def sum(self, values: Tensor) -> Tensor:
        """Over the shares of the data. Processes of one share have the same values; what only one was asked counts for
        all of its share."""
        total = values.clone().to(self._device)
        dist.all_reduce(total)
        return (total / (self.layout.tensor * self.layout.pipeline)).to(values.device)

    def gather(self, told: Any) -> list[Any]:
        everyone: list[Any] = [None] * dist.get_world_size()
        dist.all_gather_object(everyone, told)
        firsts = self.mesh.mesh[0, :, 0].tolist()
        return [everyone[each] for each in firsts]

    def clip(self, model: nn.Module, most: float) -> float:
        """The norm over all weights, of which each process may hold some or a part of each."""
        square = torch.zeros((), device=self._device, dtype=torch.float64)
        for name, each in _named(model):
            if each.grad is None or (self._pipeline is not None and self._pipeline.elsewhere(name)):
                continue
            square += self._square(each.grad)
        if self._pipeline is not None:
            dist.all_reduce(square, group=self.mesh["pipeline"].get_group())
        norm = float(square.sqrt())
        if norm > most:
            for gradient in _gradients(model):
                _local(gradient).mul_(most / (norm + 1e-6))
        return norm

    def state(self, model: nn.Module, optimiser: torch.optim.Optimizer | None) -> tuple[dict[str, Tensor], Any]:
        inner = _inner(model)
        if isinstance(optimiser, ZeroRedundancyOptimizer):
            optimiser.consolidate_state_dict(to=0)
            kept = optimiser.state_dict() if dist.get_rank() == 0 else None
            return inner.state_dict(), kept
        weights = dcp.get_model_state_dict(inner, options=_FULL)
        moments: dict[str, Any] = {}
        options: list[dict[str, Any]] = []
        if optimiser is not None:
            found = dcp.get_optimizer_state_dict(inner, optimiser, options=_FULL)
            moments = dict(found["state"])
            options = [dict(each) for each in found["param_groups"]]
        if self._pipeline is not None:
            weights, moments = self._pipeline.merged(weights, moments)
        return weights, None if optimiser is None else gathered_state.numbered(moments, options, self._names)

    def load(
        self, model: nn.Module, optimiser: torch.optim.Optimizer | None, weights: dict[str, Tensor], kept: Any
    ) -> None:
        inner = _inner(model)
        mine = {name for name, _ in inner.named_parameters()}
        own = {name: each for name, each in weights.items() if name in mine or self._pipeline is None}
        if self._sharded or self.layout.tensor > 1:
            dcp.set_model_state_dict(inner, own, options=_FULL)
        else:
            put(inner, own)
        if optimiser is None:
            return
        if isinstance(optimiser, ZeroRedundancyOptimizer):
            optimiser.load_state_dict(kept)
            return
        named = gathered_state.named(kept, self._names, mine)
        dcp.set_optimizer_state_dict(inner, optimiser, optim_state_dict=named, options=_FULL)

    def _square(self, gradient: Tensor) -> Tensor:
        square = _local(gradient).double().square().sum()
        if isinstance(gradient, DTensor):
            for dimension, placement in enumerate(gradient.placements):
                if not isinstance(placement, Replicate):
                    dist.all_reduce(square, group=gradient.device_mesh.get_group(dimension))
        return square


def _blocks(model: nn.Module) -> list[Block]:
    return [each for each in model.modules() if isinstance(each, Block)]


def _inner(model: nn.Module) -> nn.Module:
    return cast(nn.Module, model.module) if isinstance(model, DistributedDataParallel) else model


def _named(model: nn.Module) -> list[tuple[str, Tensor]]:
    return list(_inner(model).named_parameters())


def _gradients(model: nn.Module) -> list[Tensor]:
    return [each.grad for _, each in _named(model) if each.grad is not None]


def _local(values: Tensor) -> Tensor:
    return values.to_local() if isinstance(values, DTensor) else values
