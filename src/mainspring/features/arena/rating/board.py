"""The leaderboard of an arena from its votes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.features.arena.tables import arena_excluded, arena_votes
from mainspring.statistics.bradley_terry import Leaderboard, Vote, leaderboard
from mainspring.stores.sql.database import Database


@dataclass(frozen=True, slots=True)
class GivenVote:
    """A vote with who gave it and how: ``at`` Unix seconds, ``seconds`` since the battle began."""

    vote: Vote
    at: float
    seconds: float
    winner: str
    category: str


class Ratings:
    """Reads the votes of all tenants; a leaderboard is of the latest ``most`` votes."""

    def __init__(self, database: Database, most: int) -> None:
        self._database = database
        self._most = most

    async def votes(self, tenant: str, arena: str, category: str = "", since: float = 0.0) -> list[GivenVote]:
        """Latest first."""
        c = arena_votes.c
        wanted = sa.and_(c.tenant == tenant, c.arena == arena, c.at >= since)
        wanted = sa.and_(wanted, c.category == category) if category else wanted
        query = sa.select(
            c.left_model, c.right_model, c.score, c.voter, c.style, c.at, c.seconds, c.winner, c.category
        ).where(wanted)
        query = query.order_by(c.at.desc()).limit(self._most)
        return [
            GivenVote(
                Vote(row.left_model, row.right_model, row.score, row.voter, rows.load(row.style)),
                row.at,
                row.seconds,
                row.winner,
                row.category,
            )
            for row in await self._database.read(lambda connection: connection.execute(query).all())
        ]

    async def excluded(self, tenant: str, arena: str) -> dict[str, Any]:
        """Voters whose votes do not count, with the reasons."""
        c = arena_excluded.c
        query = sa.select(c.voter, c.reason, c.excluded_by, c.at).where(c.tenant == tenant, c.arena == arena)
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return {row.voter: row for row in found}

    async def board(
        self, tenant: str, arena: str, *, style: Sequence[str] = (), category: str = "", since: float = 0.0
    ) -> tuple[Leaderboard | None, list[str]]:
        """The ratings, without excluded voters, and models that no chain of votes connects to the most compared ones.
        None without votes."""
        given = await self.votes(tenant, arena, category, since)
        out = await self.excluded(tenant, arena)
        votes = [each.vote for each in given if each.vote.voter not in out]
        joined, apart = connected(votes)
        if not joined:
            return None, apart
        return await asyncio.to_thread(leaderboard, joined, style=style), apart


def connected(votes: Sequence[Vote]) -> tuple[list[Vote], list[str]]:
    """The votes among the largest set of models that votes connect, and the names of the others."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        parent.setdefault(name, name)
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for vote in votes:
        parent[root(vote.first)] = root(vote.second)
    sizes: dict[str, int] = {}
    for vote in votes:
        sizes[root(vote.first)] = sizes.get(root(vote.first), 0) + 1
    if not sizes:
        return [], []
    largest = max(sizes, key=lambda name: sizes[name])
    apart = sorted(name for name in parent if root(name) != largest)
    return [vote for vote in votes if root(vote.first) == largest], apart
