"""Arenas, battles and leaderboards as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from mainspring.features.arena.battle.asking import SIDES, SideAnswer
from mainspring.features.arena.definitions import Arena
from mainspring.features.arena.rating.voters import Voter
from mainspring.features.arena.service import Duel
from mainspring.statistics.bradley_terry import Leaderboard
from mainspring.statistics.significance import Estimate


def arena_body(name: str, arena: Arena, created_at: float | None, *, named: bool) -> dict[str, Any]:
    """Without the models unless ``named``."""
    shown = {
        "id": name,
        "object": "arena",
        "created_at": created_at,
        "categories": arena.categories,
        "recorded": bool(arena.dataset) or arena.traces,
        "votes_per_day": arena.votes_per_day,
    }
    return shown | ({"definition": arena.model_dump()} if named else {})


def battle_body(duel: Duel) -> dict[str, Any]:
    """A battle whose models have answered, without their names."""
    battle = duel.battle
    return {
        "id": battle.id,
        "object": "arena.battle",
        "created_at": battle.at,
        "arena": battle.arena,
        "question": duel.question.shown,
        "category": battle.category,
        "open": battle.complete,
        **{side: _said(duel.asked.said[side]) for side in SIDES},
    }


def board_body(arena: str, board: Leaderboard | None, apart: Sequence[str], category: str) -> dict[str, Any]:
    """Ratings, best first; ``not_compared`` are models that no chain of votes connects to these."""
    rows = () if board is None else board.ratings
    style = {} if board is None else board.style
    return {
        "object": "arena.leaderboard",
        "arena": arena,
        "category": category,
        "votes": 0 if board is None else board.votes,
        "voters": 0 if board is None else board.voters,
        "data": [
            {
                "model": each.model,
                "rank": each.rank,
                "rating": _estimate(each.rating),
                "votes": each.rating.n,
                "wins": each.wins,
                "losses": each.losses,
                "ties": each.ties,
            }
            for each in rows
        ],
        "style": {name: _estimate(found) for name, found in style.items()},
        "not_compared": list(apart),
    }


def voter_body(voter: Voter, excluded: str | None) -> dict[str, Any]:
    """A voter; ``excluded`` is the reason."""
    shown = dataclasses.asdict(voter)
    del shown["name"]
    return {"id": voter.name, "object": "arena.voter", **shown, "excluded": excluded}


def _said(said: SideAnswer) -> dict[str, Any]:
    failed = None if said.error is None else {"code": said.error.code, "message": "the model did not answer"}
    return {"text": said.text, "error": failed}


def _estimate(found: Estimate) -> dict[str, float]:
    return {"value": round(found.value, 3), "low": round(found.low, 3), "high": round(found.high, 3)}
