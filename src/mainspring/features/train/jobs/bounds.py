"""How much of the machine a run may take."""

from __future__ import annotations

from mainspring.core.errors import InvalidRequest
from mainspring.engines.catalogue.larger_model import memory_bytes
from mainspring.features.train.settings import TrainSettings
from mainspring.training.recipe import RecipeOptions

_SHARING = ("data", "tensor", "pipeline")


def check(options: RecipeOptions, settings: TrainSettings) -> None:
    """Raises ``InvalidRequest`` for more processes or weights than a run may have."""
    if options.processes > settings.processes:
        raise InvalidRequest(
            f"the run asks for {options.processes} processes, but may have at most {settings.processes}",
            remedy="Ask for fewer, or have the operator raise train.processes",
            param=f"options.{max(_SHARING, key=lambda each: getattr(options, each, 1))}",
        )
    if options.parameters > settings.parameters:
        raise InvalidRequest(
            f"the model has some {options.parameters} weights, and may have {settings.parameters}",
            remedy="Make it narrower or give it fewer layers, or have the operator raise train.parameters",
            param="options.width",
        )


def memory_mb(settings: TrainSettings) -> float:
    """The most that all processes of a run may take."""
    return settings.memory_mb or memory_bytes() * settings.memory_share / 2**20
