"""Trying a grammar out before the engine gets it: bounded in time, remembered, in processes of their own.

Most compile within milliseconds, in the quick lane. A grammar that takes longer than ``_QUICK_S`` there is tried again
in the slow lane, in a process of its own, and for a while so are all grammars of its tenant: one tenant's slow grammar
never delays another tenant's next one. Within a lane tenants take turns, and each has an allowance of compiling time.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from math import inf
from pathlib import Path

from cachetools import LRUCache

from mainspring.core.errors import EngineDied, InvalidSchema, ModelError
from mainspring.core.types import Grammar
from mainspring.engines.process.protocol import Message
from mainspring.engines.process.restarts import RestartPolicy
from mainspring.engines.process.supervisor import Supervisor
from mainspring.engines.process.turn_taking import Allowances, Turns

CHILD = "mainspring.engines.grammar.child"
_QUICK_S = 0.5
_COMPILE_S = 5.0
_START_S = 60.0
_AGAIN_S = 5.0
_REMEMBERED = 4096
# That a grammar was too slow, or that its compiler died, may be the machine's fault.
_DOUBTFUL_S = 300.0
_SLOW_TENANT_S = 120.0
_ALLOWANCE_S, _ALLOWANCE_RATE = 20.0, 0.1
# Most of its deaths are kills of ours: backing off longer would let one grammar delay all others.
_POLICY = RestartPolicy(longest=0.2)


@dataclass(frozen=True, slots=True)
class _Verdict:
    """``problem`` is empty for a grammar that compiles."""

    problem: str
    until: float = inf


class GrammarTrial:
    """Compiles each new grammar once in ``grammar_child``, which starts with the first one."""

    def __init__(self, model: Path, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._quick = _Lane(model, f"{name} (grammars)")
        self._slow = _Lane(model, f"{name} (slow grammars)")
        self._allowances = Allowances(_ALLOWANCE_S, _ALLOWANCE_RATE, clock)
        self._verdicts: LRUCache[bytes, _Verdict] = LRUCache(_REMEMBERED)

    async def check(self, grammar: Grammar, tenant: str = "") -> None:
        """Return if the engine can compile ``grammar``; raise ``InvalidSchema`` if not, or if it takes too long.

        Also raises ``RateLimited`` once the tenant's grammars took too long in all, ``Overloaded``, and ``EngineDied``
        if no compiler starts. That one was too slow or that its compiler died is remembered for a while.
        """
        key = hashlib.sha256(f"{grammar.kind}\0{grammar.source}".encode("utf-8", "replace")).digest()
        verdict = self._known(key)
        if verdict is None and not self._allowances.is_slow(tenant):
            verdict = await self._tried(self._quick, key, grammar, tenant, _QUICK_S)
        if verdict is None:
            verdict = await self._tried(self._slow, key, grammar, tenant, _COMPILE_S)
        if verdict is None:
            verdict = self._keep(key, f"it takes longer than {_COMPILE_S:g} s to compile", _DOUBTFUL_S)
        if verdict.problem:
            raise InvalidSchema(f"the grammar cannot be enforced: {verdict.problem}", param="response_format")

    async def close(self) -> None:
        """End the children, if they were ever started."""
        await self._quick.close()
        await self._slow.close()

    def _known(self, key: bytes) -> _Verdict | None:
        verdict = self._verdicts.get(key)
        return verdict if verdict is not None and verdict.until > self._clock() else None

    def _keep(self, key: bytes, problem: str, seconds: float = inf) -> _Verdict:
        verdict = self._verdicts[key] = _Verdict(problem, self._clock() + seconds)
        return verdict

    async def _tried(self, lane: _Lane, key: bytes, grammar: Grammar, tenant: str, most: float) -> _Verdict | None:
        """The verdict; None when compiling took longer than ``most`` seconds."""
        async with lane.turns.turn(tenant):
            # A request that waited before this one may have sent the same grammar.
            if (verdict := self._known(key)) is not None:
                return verdict
            self._allowances.require(tenant)
            # The first death may have an earlier cause; the second one is this grammar's own.
            for _ in range(2):
                await lane.ready()
                began = self._clock()
                try:
                    return self._keep(key, await lane.ask(grammar, most))
                except TimeoutError:
                    self._allowances.slow(tenant, _SLOW_TENANT_S)
                    return None
                except asyncio.CancelledError:
                    # Cancelling the caller kills the compiler, too.
                    self._allowances.slow(tenant, _SLOW_TENANT_S)
                    raise
                except EngineDied:
                    continue
                finally:
                    self._allowances.take(tenant, self._clock() - began)
            self._allowances.slow(tenant, _SLOW_TENANT_S)
            return self._keep(key, "the compiler did not survive it", _DOUBTFUL_S)


class _Lane:
    """A compiler and who may use it next."""

    def __init__(self, model: Path, name: str) -> None:
        self.turns = Turns()
        self._configuration: Message = {"model": str(model)}
        self._name = name
        self._supervisor: Supervisor | None = None
        self._ids = count(1)
        self._pending: dict[int, asyncio.Future[str]] = {}

    async def ask(self, grammar: Grammar, most: float) -> str:
        """The grammar's fault. Raises ``TimeoutError`` after ``most`` seconds, ``EngineDied``."""
        supervisor = await self.ready()
        number = next(self._ids)
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._pending[number] = future
        try:
            supervisor.send({"id": number, "kind": grammar.kind, "source": grammar.source})
            async with asyncio.timeout(most):
                return await future
        finally:
            del self._pending[number]
            # Too slow, or its caller left: the child still compiles, and the next grammar must not wait for that.
            if future.cancelled():
                supervisor.kill()

    async def ready(self) -> Supervisor:
        """The compiler, once it takes grammars. Raises ``EngineDied``."""
        if self._supervisor is not None and self._supervisor.state == "failed":
            # The machine may have been too busy, or short of memory: later grammars get a new one.
            await self._supervisor.close()
            self._supervisor = None
        begun = self._supervisor is not None
        if self._supervisor is None:
            self._supervisor = Supervisor(
                CHILD,
                self._configuration,
                name=self._name,
                on_message=self._on_message,
                on_death=self._on_death,
                start_timeout=_START_S,
                policy=_POLICY,
            )
        try:
            await (self._supervisor.ready(_START_S) if begun else self._supervisor.start())
        except ModelError as error:
            remedy = "Try again; if it lasts, the server's log says why"
            raise EngineDied(str(error), remedy=remedy, retry_after=_AGAIN_S) from error
        return self._supervisor

    async def close(self) -> None:
        if self._supervisor is not None:
            await self._supervisor.close()

    def _on_message(self, message: Message) -> None:
        future = self._pending.get(message["id"])
        if future is not None and not future.done():
            future.set_result(message["problem"])

    def _on_death(self, cause: str) -> None:
        for future in self._pending.values():
            if not future.done():
                future.set_exception(EngineDied(cause))
