"""Routes of arenas: battles, votes, ratings, voters.

The names of the models are shown after the vote. Definitions and voters are for keys with the scope ``admin``.
"""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

import time
from collections.abc import AsyncGenerator
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi import Path as PathParam
from fastapi import Request as HttpRequest
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import InvalidRequest, MainspringError, Unavailable
from mainspring.core.types import Context, Head, Response
from mainspring.features.arena.battle.asking import SIDES, SideAnswer
from mainspring.features.arena.definitions import QUALITIES, Arena, Winner
from mainspring.features.arena.service import Arenas, Duel
from mainspring.features.arena.shapes import arena_body, battle_body, board_body, voter_body
from mainspring.http.access import Access
from mainspring.http.bodies import Body
from mainspring.http.openai import encode
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response, streamed, while_connected

PREFIX = "/v1/arena"
ArenaName = Annotated[str, PathParam(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]

Qualities = Annotated[list[str], Field(max_length=8, fail_fast=True)]


class BattleBody(Body):
    """``POST /v1/arena/{arena}/battles``: a question, or none for a recorded one."""

    question: Annotated[str | None, Field(min_length=1, max_length=100_000)] = None
    category: Annotated[str, Field(max_length=256)] = ""
    stream: bool = False


class ExcludeBody(Body):
    """``PUT /v1/arena/{arena}/voters/{voter}``."""

    excluded: bool
    reason: Annotated[str, Field(max_length=1000)] = ""


class VoteBody(Body):
    """``POST /v1/arena/{arena}/battles/{battle_id}/votes``."""

    winner: Winner


def router(service: Arenas, access: Access, heartbeat_s: float) -> APIRouter:
    """The routes over the service."""
    routes = APIRouter(route_class=JsonRoute, tags=["arena"], prefix=PREFIX)
    voters = Annotated[Context, Depends(access("arena"))]

    @routes.get("")
    async def list_arenas(context: voters) -> HttpResponse:
        """All arenas, by name."""
        found = await service.all(context.principal.tenant)
        named = "admin" in context.principal.scopes
        return json_response({"object": "list", "data": [arena_body(*each, named=named) for each in found]})

    @routes.post("/{arena}/battles", status_code=201)
    async def begin_battle(http: HttpRequest, arena: ArenaName, body: BattleBody, context: voters) -> HttpResponse:
        """Two models answer one question: `left` and `right`, whose names are shown after the vote. With `stream`,
        server-sent events `{"side", "delta"}` come first, and the battle last. If one model fails, the other's answer
        is shown, with nothing to vote on. The caller pays for both answers."""
        definition = await service.get(context.principal.tenant, arena)
        question = await service.question(context.principal, definition, body.question, body.category)
        duel = await service.duel(context, arena, definition, question)
        if body.stream:
            return await streamed(http, _begun(duel), partial(_frames, duel=duel), encode.error_frame, heartbeat_s)
        await while_connected(http, _read(duel))
        _check(duel)
        return json_response(battle_body(duel), status=201)

    @routes.delete("/{arena}/battles/{battle_id}")
    async def drop_battle(arena: ArenaName, battle_id: str, context: voters) -> HttpResponse:
        """Delete your battle without a vote."""
        await service.battles.drop(context.principal, arena, battle_id)
        return json_response({"id": battle_id, "object": "arena.battle", "deleted": True})

    @routes.post("/{arena}/battles/{battle_id}/votes", status_code=201)
    async def vote(arena: ArenaName, battle_id: str, body: VoteBody, context: voters) -> HttpResponse:
        """Vote once for the better answer. The response names the models."""
        definition = await service.get(context.principal.tenant, arena)
        voted = await service.battles.vote(context.principal, arena, definition, battle_id, body.winner)
        shown = {"id": voted.battle, "object": "arena.vote", "arena": arena, "winner": voted.winner}
        left = {"model": voted.left_model, "answer_id": voted.left_answer}
        right = {"model": voted.right_model, "answer_id": voted.right_answer}
        return json_response({**shown, "left": left, "right": right}, status=201)

    _ratings(routes, service, access)
    _administration(routes, service, access)
    return routes


def _ratings(routes: APIRouter, service: Arenas, access: Access) -> None:
    voters = Annotated[Context, Depends(access("arena"))]

    @routes.get("/{arena}/leaderboard")
    async def get_leaderboard(
        arena: ArenaName,
        context: voters,
        style: Annotated[Qualities | None, Query(description="Style features to control for")] = None,
        category: Annotated[str, Query(max_length=256)] = "",
        days: Annotated[
            float | None, Query(gt=0, le=3650, description="Only votes of this many days before now")
        ] = None,
    ) -> HttpResponse:
        """Ratings in Elo points with 95 % intervals, best first. `style` is of `length`, `headings`,
        `lists` and `bold`."""
        await service.get(context.principal.tenant, arena)
        for name in style or ():
            if name not in QUALITIES:
                raise InvalidRequest(
                    f"there is no style feature {name:.100}", remedy=f"Use {', '.join(QUALITIES)}", param="style"
                )
        since = 0.0 if days is None else time.time() - days * 86_400.0
        chosen = list(dict.fromkeys(style or ()))
        board, apart = await service.ratings.board(
            context.principal.tenant, arena, style=chosen, category=category, since=since
        )
        return json_response(board_body(arena, board, apart, category))


def _administration(routes: APIRouter, service: Arenas, access: Access) -> None:
    admins = Annotated[Context, Depends(access("admin"))]

    @routes.put("/{arena}")
    async def define_arena(arena: ArenaName, body: Arena, context: admins) -> HttpResponse:
        """Create an arena, or change what it compares. Its votes stay."""
        await service.define(context.principal, arena, body)
        return json_response(arena_body(arena, body, time.time(), named=True))

    @routes.get("/{arena}")
    async def get_arena(arena: ArenaName, context: admins) -> HttpResponse:
        """What an arena compares."""
        return json_response(arena_body(arena, await service.get(context.principal.tenant, arena), None, named=True))

    @routes.get("/{arena}/voters")
    async def list_voters(arena: ArenaName, context: admins) -> HttpResponse:
        """Voters, most votes first: how they vote, per week, and which ones you might exclude."""
        await service.get(context.principal.tenant, arena)
        found, out = await service.voters(context.principal.tenant, arena)
        return json_response({"object": "list", "data": [voter_body(each, out.get(each.name)) for each in found]})

    @routes.put("/{arena}/voters/{voter}")
    async def exclude_voter(arena: ArenaName, voter: str, body: ExcludeBody, context: admins) -> HttpResponse:
        """Exclude a person's votes from leaderboards, or include them again. The events stay."""
        await service.get(context.principal.tenant, arena)
        await service.exclude(context.principal, arena, voter, body.reason if body.excluded else None)
        return json_response({"id": voter, "object": "arena.voter", "excluded": body.reason if body.excluded else None})

    @routes.delete("/{arena}")
    async def delete_arena(arena: ArenaName, context: admins) -> HttpResponse:
        """Delete an arena with its votes; their events stay in the log."""
        await service.remove(context.principal.tenant, arena)
        return json_response({"id": arena, "object": "arena", "deleted": True})


async def _read(duel: Duel) -> None:
    async for _ in duel.pieces:
        pass


async def _begun(duel: Duel) -> Response:
    """The response that is streamed; its events are those of ``duel``."""
    return Response(Head(""), _no_events(), on_close=duel.close)


async def _no_events() -> AsyncGenerator[Any, None]:
    nothing: tuple[Any, ...] = ()
    for event in nothing:
        yield event


async def _frames(_: Response, duel: Duel) -> AsyncGenerator[bytes, None]:
    try:
        async for side, delta in duel.pieces:
            yield b"data: " + encode.dumps({"object": "arena.delta", "side": side, "delta": delta}) + b"\n\n"
        _check(duel)
        yield b"data: " + encode.dumps(battle_body(duel)) + b"\n\ndata: [DONE]\n\n"
    except MainspringError as error:
        yield encode.error_frame(error)


def _check(duel: Duel) -> None:
    """Raises the error of the left side if both have failed."""
    said: list[SideAnswer] = [duel.asked.said[side] for side in SIDES]
    if all(each.error is not None for each in said):
        raise said[0].error or Unavailable("no model answered")
