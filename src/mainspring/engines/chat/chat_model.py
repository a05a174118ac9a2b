"""A chat model over its engines, and one of several replicas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mainspring.core.types import Responder

if TYPE_CHECKING:
    from mainspring.engines.base import Engine


@dataclass(slots=True)
class Replica:
    """One of several engines of a chat model. ``concurrency`` 0: any number of answers at a time. ``patience_s`` limits
    the time to the first token (None: until the deadline). ``region`` is the engine's region (empty: unknown)."""

    name: str
    engine: Engine
    responder: Responder
    local: bool = True
    weight: float = 1.0
    concurrency: int = 0
    patience_s: float | None = None
    region: str = ""


@dataclass(slots=True)
class ChatModel:
    """A chat model behind its engine. Prices are US dollars a million tokens; ``created`` is when it was pulled, in
    Unix seconds (0: it is elsewhere). ``engine`` is the first of several ``replicas``. ``notes``: it writes over notes
    where each of its sentences is checked, though it is not ``grounded``."""

    name: str
    engine: Engine
    responder: Responder
    grounded: bool
    provider: str
    price_input: float = 0.0
    price_output: float = 0.0
    created: int = 0
    replicas: tuple[Replica, ...] = ()
    notes: bool = False

    @property
    def writes(self) -> bool:
        """Whether it may write answers over documents, each sentence checked."""
        return self.grounded or self.notes

    def all_replicas(self) -> tuple[Replica, ...]:
        """At least one."""
        return self.replicas or (Replica("1", self.engine, self.responder),)

    def ready(self) -> bool:
        """Whether the model is ready: an engine that runs here for it is healthy, or a replica of it is elsewhere. An
        endpoint elsewhere is no part of this server: else its outage would take away all servers that know it, and
        without traffic none would see it come back."""
        return any(not replica.local or replica.engine.healthy() for replica in self.all_replicas())

    def down_s(self) -> float:
        """For how many seconds none of the engines that run here for it could answer, after one could."""
        local = [replica.engine.statistics().get("down_s", 0.0) for replica in self.all_replicas() if replica.local]
        return min(local, default=0.0)
