"""Trying a grammar out before the engine gets it: bounded in time, remembered, in a process of its own."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from itertools import count
from pathlib import Path

from mainspring.engines.protocol import Message
from mainspring.engines.supervisor import RestartPolicy, Supervisor
from mainspring.errors import EngineDied, InvalidSchema
from mainspring.types import Grammar

CHILD = "mainspring.engines.grammar_child"
_COMPILE_S = 5.0
_START_S = 60.0
_REMEMBERED = 1024
# Most of its deaths are kills of ours: backing off longer would let one grammar delay all others.
_POLICY = RestartPolicy(longest=0.2)


class GrammarTrial:
    """Compiles each new grammar once in ``grammar_child``, which starts with the first one."""

    def __init__(self, model: Path, name: str) -> None:
        self._configuration: Message = {"model": str(model)}
        self._name = name
        self._supervisor: Supervisor | None = None
        self._lock = asyncio.Lock()
        self._ids = count(1)
        self._pending: dict[int, asyncio.Future[str]] = {}
        self._verdicts: OrderedDict[Grammar, str] = OrderedDict()

    async def check(self, grammar: Grammar) -> None:
        """Return if the engine can compile ``grammar``; raise ``InvalidSchema`` if not, or if it takes too long.

        Only what the compiler answered is remembered: that it was too slow or died may be the machine's fault.
        """
        problem = self._verdicts.get(grammar)
        if problem is None:
            async with self._lock:
                problem = self._verdicts.get(grammar)
                if problem is None:
                    problem = await self._try(grammar)
        if problem:
            raise InvalidSchema(f"the grammar cannot be enforced: {problem}", param="response_format")

    async def close(self) -> None:
        """End the child, if it was ever started."""
        if self._supervisor is not None:
            await self._supervisor.close()

    async def _try(self, grammar: Grammar) -> str:
        # The first death may be the work of what came before, the second is this grammar's own.
        for _ in range(2):
            supervisor = await self._ready()
            try:
                problem = await self._ask(supervisor, grammar)
            except TimeoutError:
                return f"it takes longer than {_COMPILE_S:g} s to compile"
            except EngineDied:
                continue
            self._verdicts[grammar] = problem
            if len(self._verdicts) > _REMEMBERED:
                self._verdicts.popitem(last=False)
            return problem
        return "the compiler did not survive it"

    async def _ask(self, supervisor: Supervisor, grammar: Grammar) -> str:
        number = next(self._ids)
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._pending[number] = future
        try:
            supervisor.send({"id": number, "kind": grammar.kind, "source": grammar.source})
            async with asyncio.timeout(_COMPILE_S):
                return await future
        finally:
            del self._pending[number]
            # Too slow, or its caller left: the child still compiles, and the next grammar must not wait for that.
            if future.cancelled():
                supervisor.kill()

    async def _ready(self) -> Supervisor:
        if self._supervisor is None:
            self._supervisor = Supervisor(
                CHILD,
                self._configuration,
                name=f"{self._name} (grammars)",
                on_message=self._on_message,
                on_death=self._on_death,
                start_timeout=_START_S,
                policy=_POLICY,
            )
            await self._supervisor.start()
        await self._supervisor.ready(_START_S)
        return self._supervisor

    def _on_message(self, message: Message) -> None:
        future = self._pending.get(message["id"])
        if future is not None and not future.done():
            future.set_result(message["problem"])

    def _on_death(self, cause: str) -> None:
        for future in self._pending.values():
            if not future.done():
                future.set_exception(EngineDied(cause))
