"""The plan of memory against what training keeps: weights, gradients, moments, and what the pass backwards needs.

    python benchmarks/memory_plan.py [--dry] [--only NAME]

Needs the extra ``train``. Activations are the distinct storages that autograd saves in the pass forwards, without
weights; each is counted once, however many operations share it. The peak is the most that torch's allocator has at a
moment of a pass forwards and backwards, beside weights, gradients and moments. Steps of chat models and encoders are
those of the recipes, on shapes that no formula was fitted on.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import product
from pathlib import Path

from _report import Figure, report
from _step_memory import RECIPES, Step, bert, kept, llama, measured, peak
from mainspring.features.train import planning
from mainspring.training.own.models.shape import Shape
from mainspring.training.parallel.memory import MemoryPlan, activations, planned, workspace
from mainspring.training.run import options_of

SHAPES = (
    Shape("decoder", 4_000, width=192, layers=4, heads=6, kv_heads=2, length=128),
    Shape("decoder", 8_000, width=384, layers=6, heads=6, kv_heads=2, length=256),
    Shape("decoder", 1_000, width=128, layers=12, heads=4, kv_heads=4, length=64),
    Shape("encoder", 4_000, width=256, layers=4, heads=4, kv_heads=2, length=128),
)


_SMOLLM2 = llama(576, 30, (9, 3), 1536, 49_152)
_SMALL = llama(128, 8, (4, 2), 352, 3_000, model_type="qwen2")
_FULL, _HALF = {"precision": "fp32"}, {"precision": "bf16"}
CHAT = (
    Step("sft", llama(192, 4, (6, 2), 512, 4_000), 8, 96, {"method": "full", **_FULL}),
    Step("sft", llama(256, 6, (8, 4), 688, 8_000), 4, 128, _HALF),
    Step("sft", llama(320, 5, (5, 1), 768, 36_000), 3, 64, {"method": "full", **_HALF}),
    Step("sft", _SMOLLM2, 2, 64, _FULL),
    Step("sft", _SMOLLM2, 2, 64, {"gradient_checkpointing": True, **_HALF}),
    Step("sft", llama(176, 5, (4, 1), 416, 5_000, model_type="qwen3", head_dim=40), 6, 80, {"method": "full", **_HALF}),
    Step("sft", llama(176, 5, (4, 1), 416, 5_000, model_type="qwen3", head_dim=40), 6, 80, _FULL),
    Step("sft", llama(64, 6, (4, 2), 160, 1_000), 16, 300, _FULL),
    Step("sft", llama(192, 4, (6, 2), 512, 4_000), 4, 64, {"packing": True, **_FULL}, 0),
    Step("sft", _SMALL, 5, 72, {"rank": 4, "modules": ["q_proj", "v_proj"], "dropout": 0.05, **_HALF}),
    Step("sft", _SMALL, 5, 72, {"rank": 32, "modules": ["gate_proj", "down_proj"], **_FULL}),
    Step("dpo", _SMALL, 3, 72, _FULL),
    Step("kto", _SMALL, 6, 72, _HALF),
    Step("reward", _SMALL, 3, 72, _HALF),
    Step("reward", _SMALL, 3, 72, _FULL),
    Step("grpo", _SMALL, 6, 72, {"group": 3, **_HALF}),
    Step("ppo", _SMALL, 6, 72, _FULL),
    Step("ppo", _SMALL, 6, 72, _HALF),
    Step("distil", _SMALL, 6, 72, {"level": "logits", "teacher": "self", **_HALF}),
    Step("distil", _SMALL, 6, 72, {"level": "logits", "teacher": "self", **_FULL}),
)
_MINILM = bert(384, 6, 12, 1536)
ENCODERS = (
    Step("reranker", bert(192, 6, 6, 768), 8, 64, {"precision": "f32"}),
    Step("reranker", _MINILM, 4, 96),
    Step("nli", bert(320, 4, 10, 1280), 4, 96),
    Step("reader", bert(160, 6, 5, 640), 6, 80, {"freeze": 3}),
    Step("reader", bert(160, 6, 5, 640), 6, 80, {"precision": "f32"}),
    Step("classifier", bert(192, 6, 6, 768), 12, 32, {"precision": "f32", "dropout": 0.0}),
    Step("embedder", _MINILM, 4, 48),
    Step("embedder", _MINILM, 4, 48, {"precision": "f32", "freeze": 2}),
    Step("embedder", bert(192, 3, 3, 768), 4, 160, {"dropout": 0.1}),
)


def kept_of(shape: Shape, batch: int, length: int, *, half: bool = False, checkpointing: bool = False) -> MemoryPlan:
    """One step of a model of ours with random weights."""
    import torch

    from mainspring.training.own.loop import Plan, optimiser_of
    from mainspring.training.own.models.model_files import build
    from mainspring.training.own.models.stack import checkpointed

    torch.manual_seed(0)
    model = build(shape).train()
    checkpointed(model, checkpointing)
    ids = torch.randint(5, shape.vocabulary, (batch, length))

    def forward() -> torch.Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            return model(ids, ids)

    saved = kept(model, forward)
    forward().backward()
    optimiser = optimiser_of(model, Plan(steps=1))
    optimiser.step()
    moments = sum(
        value.nbytes for state in optimiser.state.values() for value in state.values() if torch.is_tensor(value)
    )
    parameters = list(model.parameters())
    return MemoryPlan(
        sum(each.nbytes for each in parameters),
        sum(each.grad.nbytes for each in parameters if each.grad is not None),
        moments,
        saved,
        peak(lambda: forward().backward()) - saved,
    )


def planned_of(step: Step, folder: Path) -> MemoryPlan:
    """The plan of a run whose base is in ``folder``."""
    recipe = RECIPES[step.recipe]
    return planning.planned(recipe, options_of(recipe, step.asked), folder).each


def errors(steps: Iterable[Step]) -> dict[str, float]:
    """The largest errors of the plans of these steps, as shares of what is measured."""
    worst = {"activations": 0.0, "peak": 0.0, "total": 0.0}
    for step in steps:
        with tempfile.TemporaryDirectory() as name:
            found = measured(step, Path(name))
            plan = planned_of(step, Path(name) / "base")
        sizes = f"{step.config['hidden_size']}x{step.config['num_hidden_layers']}, {step.batch} x {step.length}"
        worst = worse(worst, f"{step.recipe} {sizes} {dict(step.options)}", plan, found)
    return worst


def worse(worst: Mapping[str, float], told: str, plan: MemoryPlan, found: MemoryPlan) -> dict[str, float]:
    """The larger errors of two; prints those of this plan."""
    off = {
        "activations": plan.activations / found.activations - 1,
        "peak": (plan.activations + plan.workspace) / (found.activations + found.workspace) - 1,
        "total": plan.total / found.total - 1,
    }
    shown = ", ".join(f"{kind} {value:+.3f}" for kind, value in off.items())
    print(f"{told}: {shown}; {found.workspace / 1e6:.1f} MB for a moment of {found.total / 1e6:.1f}", flush=True)
    return {kind: max(value, abs(off[kind])) for kind, value in worst.items()}


def own() -> dict[str, float]:
    """The largest errors for models of our own."""
    worst = {"activations": 0.0, "peak": 0.0, "total": 0.0}
    for shape, half in product(SHAPES, (False, True)):
        found = kept_of(shape, 8, shape.length, half=half)
        plan = planned(
            shape.parameters,
            activations=activations(shape, 8, shape.length, half=half),
            workspace=workspace(shape, 8, shape.length, half=half),
        )
        worst = worse(worst, f"{shape.kind} {shape.width}x{shape.layers} {'bf16' if half else 'f32'}", plan, found)
    return worst


_KINDS = ("our own models", "chat", "encoders")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dry", action="store_true", help="write no result")
    parser.add_argument("--only", choices=_KINDS, help="measure these alone, and write no result")
    options = parser.parse_args()
    figures: dict[str, Figure] = {}
    ours = 2 * len(SHAPES)
    measures: tuple[Callable[[], dict[str, float]], ...] = (own, partial(errors, CHAT), partial(errors, ENCODERS))
    for name, measure, count, what in zip(
        _KINDS,
        measures,
        (ours, len(CHAT), len(ENCODERS)),
        (
            "models of 1 to 12 M parameters, f32 and bf16",
            "steps of recipes; Llama, Qwen2 and Qwen3, to the shape of SmolLM2-135M",
            "steps of recipes; BERT, to the shape of MiniLM-L6",
        ),
        strict=True,
    ):
        if options.only in (None, name):
            for kind, value in measure().items():
                label = f"{name}: largest error of the plan, {kind}"
                figures[label] = Figure(value, "share", "lower", floor=0.1, against=f"{count} {what}")
    if not (options.dry or options.only):
        report("memory_plan", figures)


if __name__ == "__main__":
    main()
