"""The limits of agents: each holds for an agent with everything that it calls."""

from __future__ import annotations

import time

from mainspring.agents.agent import Limits
from mainspring.agents.errors import Limit, LimitReached
from mainspring.core.types import Usage


class Budget:
    """What is left of the limits of ``owner``; what it uses also counts for the agents ``above``. ``handed``: it has
    the conversation from the agent above and answers in its place, so it stands no deeper.

    ``deadline`` is a ``time.monotonic()`` value.
    """

    __slots__ = ("_above", "_limits", "_owner", "_steps", "_tools", "_used", "deadline", "depth")

    def __init__(self, owner: str, limits: Limits, above: Budget | None = None, *, handed: bool = False) -> None:
        self._owner = owner
        self._limits = limits
        self._above = above
        self._steps = limits.steps
        self._used = Usage()
        self._tools = Usage()
        deadline = time.monotonic() + limits.wall_s
        self.deadline: float = deadline if above is None else min(deadline, above.deadline)
        self.depth: int = 0 if above is None else above.depth + (not handed)
        over = self
        while over._above is not None:
            over = over._above
            if self.depth - over.depth > over._limits.depth:
                raise over._reached("depth", f"agents stand {over._limits.depth} deep below it")

    def take(self) -> None:
        """One more step begins. Raises ``LimitReached``."""
        each: Budget | None = self
        while each is not None:
            each._check()
            each = each._above
        each = self
        while each is not None:
            each._steps -= 1
            each = each._above

    def add(self, usage: Usage) -> None:
        """A model was asked."""
        each: Budget | None = self
        while each is not None:
            each._used = each._used + usage
            each = each._above

    def add_tool(self, usage: Usage) -> None:
        """A tool has asked models of its own."""
        each: Budget | None = self
        while each is not None:
            each._tools = each._tools + usage
            each = each._above

    @property
    def used(self) -> Usage:
        """What the models of agents have used up, without those that tools have asked."""
        return self._used

    @property
    def steps_left(self) -> int:
        """The steps that may still begin."""
        return self._steps if self._above is None else min(self._steps, self._above.steps_left)

    @property
    def tokens_left(self) -> int | None:
        """The tokens that may still be used; None: any number."""
        most = self._limits.tokens
        mine = None if most is None else max(0, most - self._used.total_tokens - self._tools.total_tokens)
        over = None if self._above is None else self._above.tokens_left
        return mine if over is None else over if mine is None else min(mine, over)

    def answers_for(self, owner: str) -> bool:
        """Whether ``owner`` is this agent, or one that has handed the conversation to it."""
        each: Budget | None = self
        while each is not None and each.depth == self.depth:
            if each._owner == owner:
                return True
            each = each._above
        return False

    def _check(self) -> None:
        limits = self._limits
        if self._steps <= 0:
            raise self._reached("steps", f"{limits.steps} steps were taken")
        tokens = self._used.total_tokens + self._tools.total_tokens
        if limits.tokens is not None and tokens >= limits.tokens:
            raise self._reached("tokens", f"{tokens} tokens were used")
        spent = self._used.cost_nanousd + self._tools.cost_nanousd
        if limits.money_nanousd is not None and spent >= limits.money_nanousd:
            raise self._reached("money", f"${spent / 1e9:.4f} were spent")
        if time.monotonic() >= self.deadline:
            raise self._reached("time", f"{limits.wall_s:g} seconds have passed")

    def _reached(self, limit: Limit, why: str) -> LimitReached:
        return LimitReached(f"The agent {self._owner} reached its limit: {why}", limit=limit, owner=self._owner)
