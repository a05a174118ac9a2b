"""A recipe: a way to make something from data, such as an adapter, an encoder, a prompt or a threshold.

A feature declares its recipes in its module ``recipes`` as ``RECIPES``. The recipe's function gets a ``Work`` and
returns what it ``Made``. It runs in a process of its own, which may be killed at any moment: it saves checkpoints, and
goes on from the latest one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, cast

from pydantic import BaseModel, ConfigDict

from mainspring.core.errors import MissingExtra
from mainspring.core.plugins import Kind

Side = Literal["train", "validation", "test"]
Makes = Literal[
    "chat", "adapter", "reward", "embedding", "reranker", "reader", "nli", "classifier", "language-model",
    "translator", "composer", "tokenizer", "answering", "prompt", "examples", "router", "given",
]  # fmt: skip
"""What a recipe makes. A ``composer`` completes mails. ``answering`` are thresholds and weights of how documents are
answered from, ``examples`` stand in a prompt, ``given`` is what a person wrote."""


class RecipeOptions(BaseModel):
    """The options of a recipe; each has its own subclass, with a description of each field.

    ``named`` are options that name a version, or a model that was pulled, with the kinds that fit; the service that
    takes the order finds its folder (``Work.given``). ``packaged`` are folders of the package, by the names that they
    have in such an option. ``leaving`` are options by which rows leave the machine.
    ``asked`` are options that name what is served here and is asked by the run (``training.asking``).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    named: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    packaged: ClassVar[Mapping[str, Path]] = {}
    leaving: ClassVar[tuple[str, ...]] = ()
    asked: ClassVar[tuple[str, ...]] = ()

    @property
    def processes(self) -> int:
        """How many processes train."""
        return 1

    @property
    def parameters(self) -> int:
        """An estimate of the weights of a model that is made from nothing; 0: none is."""
        return 0

    def check_start(self, base: Path | None, given: Mapping[str, Path]) -> None:
        """Asked when a run is ordered: ``base`` is the folder that it starts from, ``given`` are those of what options
        name. Raises ``InvalidRequest`` naming an option with which the run could not begin."""


@dataclass(frozen=True, slots=True)
class Made:
    """What came of a run.

    ``files`` are the names of what lies in the run's ``output`` folder. ``figures`` were measured on the side ``test``
    of the data, on which nothing was chosen; ``counted`` says on how many rows each, ``intervals`` are those of 95 %.
    ``before`` are the same figures of the base. ``entry`` are the fields of an entry of the model catalogue, for what
    it can serve. ``value`` is what small things consist of: a prompt, weights by name.
    """

    makes: Makes
    files: tuple[str, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    counted: Mapping[str, int] = field(default_factory=dict)
    before: Mapping[str, float] = field(default_factory=dict)
    entry: Mapping[str, Any] = field(default_factory=dict)
    value: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Work(Protocol):
    """A run, as the function of its recipe sees it. ``training.run.Run`` is one."""

    @property
    def options(self) -> RecipeOptions: ...

    @property
    def seed(self) -> int: ...

    @property
    def base(self) -> Path | None:
        """The folder of the pulled model that the run starts from; None: from nothing."""
        ...

    @property
    def given(self) -> Mapping[str, Path]:
        """The folders of what options name (``RecipeOptions.named``), by option."""
        ...

    @property
    def outside(self) -> bool:
        """Whether the run may ask models outside this machine."""
        ...

    @property
    def output(self) -> Path:
        """The folder for what is made."""
        ...

    @property
    def checkpoints(self) -> Path:
        """The folder for checkpoints; ``training.checkpoints`` writes and finds them."""
        ...

    @property
    def main(self) -> bool:
        """Whether this process writes logs and files: the only one, or the first of several."""
        ...

    def rows(self, side: Side) -> Iterator[Mapping[str, Any]]:
        """The rows of one side of the data, in their order. Nothing if there is no such side."""
        ...

    def count(self, side: Side) -> int: ...

    def log(self, step: int, **figures: float) -> None:
        """Keep figures of a step, such as ``loss`` and ``tokens``; people see them as curves while it runs."""
        ...

    def sample(self, step: int, prompt: str, text: str) -> None:
        """Keep what the model writes to ``prompt`` after ``step`` steps; 0: before training."""
        ...

    def stopping(self) -> bool:
        """Whether the run should save a checkpoint and return by raising ``Interrupted``: its night is over, its server
        stops, or somebody paused it. Asked after each step."""
        ...

    def finishing(self) -> bool:
        """Whether the time or the money of the run is used up: it should train no further, and return what it ``Made``
        of its best checkpoint. Asked after each step, after ``stopping``."""
        ...


class Interrupted(Exception):
    """The run stopped after a checkpoint and can go on later."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A recipe as it is listed.

    ``run`` is ``module:function``. ``reads`` are kinds of rows, as exports name them (``sft``, ``preference`` ...), or
    ``text``, ``pairs``, ``prompt`` and ``completion`` (a prompt with its answer). ``needs`` are the modules that the
    training process must have. ``bases`` are the kinds of catalogue models that it may start from; empty: it starts
    from nothing. ``source`` is the paper or the section of the guide. ``processes``: whether it may be run by several.
    """

    name: str
    summary: str
    makes: Makes
    options: type[RecipeOptions]
    run: str
    reads: tuple[str, ...]
    needs: tuple[str, ...] = ("torch",)
    bases: tuple[str, ...] = ()
    source: str = ""
    processes: bool = False

    def function(self) -> Function:
        """The function, imported. Raises ``MissingExtra`` naming the module that is not installed."""
        module, _, name = self.run.partition(":")
        try:
            return cast(Function, getattr(import_module(module), name))
        except ModuleNotFoundError as error:
            raise MissingExtra(
                f"the recipe {self.name} needs {error.name}, which is not installed",
                remedy="pip install 'mainspring[train]', or point train.python to an environment that has it",
            ) from None


class Function(Protocol):
    """Does a run. Raises ``Interrupted`` after a checkpoint if it was asked to stop, ``NothingLearned``,
    ``InvalidRequest``."""

    def __call__(self, work: Work) -> Made: ...


RECIPE: Kind[[], Recipe] = Kind("recipe", Recipe)
"""A recipe of a plugin, listed under its name. The training process needs the plugin, too."""
