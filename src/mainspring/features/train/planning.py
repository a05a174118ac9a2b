"""What a run can start from, and how much memory it will take, told before it is ordered."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mainspring.core.errors import InvalidRequest, Unsupported
from mainspring.core.types import Principal
from mainspring.features.train.jobs import bounds
from mainspring.features.train.service import Training
from mainspring.features.train.versions.bases import BaseChoice
from mainspring.training import recipes
from mainspring.training.chat import memory as of_chat
from mainspring.training.chat.options import TuneOptions
from mainspring.training.encoders import memory as of_encoders
from mainspring.training.encoders.options import EncoderOptions
from mainspring.training.own import words
from mainspring.training.own.models.config import shape_of
from mainspring.training.own.models.shape import Shape
from mainspring.training.own.options import PretrainWithOptions, StepOptions
from mainspring.training.parallel.layout import Layout
from mainspring.training.parallel.memory import MemoryPlan, of_process
from mainspring.training.recipe import Recipe, RecipeOptions
from mainspring.training.run import options_of


@dataclass(frozen=True, slots=True)
class RunPlan:
    """``each`` are the bytes of one process, of the one that holds most. Activations of None are not planned."""

    parameters: int
    trained: int
    each: MemoryPlan
    processes: int = 1
    planned: bool = True
    notes: tuple[str, ...] = ()


async def bases(service: Training, principal: Principal, name: str, option: str) -> dict[str, Any]:
    """A list of ``training.base`` objects: what the recipe can start from, or what an option of it can name; of all
    recipes without a name. Raises ``NotFound``, ``InvalidRequest``."""
    asked = [recipes.find(name)] if name else list(recipes.every().values())
    if option:
        known = asked[0].options.named if name else {}
        if option not in known:
            problem = f"{option:.100} is no option that names a model or a version"
            hint = f"Such options are {', '.join(known)}" if known else "Leave it out, or name a recipe that has one"
            raise InvalidRequest(problem, remedy=hint, param="option")
        kinds = known[option]
    else:
        kinds = tuple(sorted({kind for each in asked for kind in each.bases}))
    # Options whose kinds are not in the catalogue name versions alone, see ``named.given``.
    found, more = await service.bases.choices(principal, kinds, models=not option or "chat" in kinds)
    packaged = asked[0].options.packaged if option else ()
    found = [*(BaseChoice(each, kinds[0], "package") for each in packaged), *found]
    data = [
        {
            "id": each.name,
            "object": "training.base",
            "kind": each.kind,
            "source": each.source,
            "recipes": [recipe.name for recipe in asked if option or each.kind in recipe.bases],
        }
        for each in found
    ]
    return {"object": "list", "data": data, "has_more": more, "kinds": list(kinds)}


async def plan(
    service: Training, principal: Principal, name: str, given: Mapping[str, Any], base: str
) -> dict[str, Any]:
    """A ``training.plan`` object. Raises what an order of the run would for its recipe, options and base, and
    ``Unsupported`` for recipes whose memory is not planned."""
    recipe = recipes.find(name)
    options = options_of(recipe, given)
    start, _ = await service.checking.found(principal, recipe, options, base)
    found = await asyncio.to_thread(planned, recipe, options, start.folder)
    total = found.each.total * found.processes
    most = bounds.memory_mb(service.settings) * 2**20
    parts = asdict(found.each) | {"activations": found.each.activations if found.planned else None}
    return {
        "object": "training.plan",
        "recipe": recipe.name,
        "base": base or None,
        "parameters": found.parameters,
        "trained": found.trained,
        "processes": found.processes,
        "bytes": {name: None if value is None else round(value) for name, value in parts.items()},
        "not_counted": [] if found.planned else ["activations"],
        "total_bytes": round(total),
        "limit_bytes": round(most),
        "fits": total <= most,
        "notes": list(found.notes),
    }


def planned(recipe: Recipe, options: RecipeOptions, folder: Path | None) -> RunPlan:
    """Of a run with these options; ``folder`` has its base. Raises as ``plan``."""
    if isinstance(options, TuneOptions):
        assert folder is not None
        sizes = of_chat.sizes(folder)
        each, notes = of_chat.planned(sizes, options), tuple(of_chat.notes(options))
        return RunPlan(sizes.parameters, of_chat.trained(sizes, options), each, notes=notes)
    if isinstance(options, EncoderOptions):
        assert folder is not None
        encoder = of_encoders.sizes(folder, pooler=recipe.makes != "embedding")
        each, learned = of_encoders.of_run(encoder, options), of_encoders.trained(encoder, options)
        return RunPlan(encoder.parameters, learned, each, notes=of_encoders.notes(options))
    if isinstance(options, PretrainWithOptions):
        vocabulary = int(getattr(options, "vocabulary", 0))
        if folder is not None:
            vocabulary = words.load(folder / "tokenizer.json").get_vocab_size()
        return _own(options.shape(vocabulary), options, options.layout)
    if isinstance(options, StepOptions) and folder is not None:
        return _own(shape_of(folder), options, Layout())
    raise Unsupported(
        f"the memory of the recipe {recipe.name} is not planned",
        remedy="Plan recipes of chat models and encoders, pretrain, pretrain-with or finetune-own",
        param="recipe",
    )


def _own(shape: Shape, options: StepOptions, layout: Layout) -> RunPlan:
    share = options.batch // layout.data
    notes = ["a run with held-out rows keeps its best weights besides, and libraries allocate memory of their own"]
    stacked = shape.kind == "encoder-decoder"
    if stacked:
        notes.append("activations of an encoder with a decoder are not planned")
    each = of_process(
        shape,
        layout,
        0 if stacked else min(options.micro or share, share),
        shape.length,
        half=options.precision != "float32",
        checkpointing=options.checkpointing,
    )
    parameters = shape.parameters
    return RunPlan(parameters, parameters, each, layout.processes, planned=not stacked, notes=tuple(notes))
