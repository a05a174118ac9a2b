"""The routes and commands of the feature ``arena``."""

from tests.surfaces import ANSWERS, ASKS, SAME_TWICE, Surface

SURFACE = Surface(
    scopes={
        "GET /v1/arena": "arena",
        "POST /v1/arena/{arena}/battles": "arena",
        "DELETE /v1/arena/{arena}/battles/{battle_id}": "arena",
        "POST /v1/arena/{arena}/battles/{battle_id}/votes": "arena",
        "GET /v1/arena/{arena}/leaderboard": "arena",
        "PUT /v1/arena/{arena}": "admin",
        "GET /v1/arena/{arena}": "admin",
        "DELETE /v1/arena/{arena}": "admin",
        "GET /v1/arena/{arena}/voters": "admin",
        "PUT /v1/arena/{arena}/voters/{voter}": "admin",
    },
    changes={
        "POST /v1/arena/{arena}/battles": ASKS,
        "DELETE /v1/arena/{arena}/battles/{battle_id}": "",
        "POST /v1/arena/{arena}/battles/{battle_id}/votes": "",
        "PUT /v1/arena/{arena}": "",
        "DELETE /v1/arena/{arena}": "",
        "PUT /v1/arena/{arena}/voters/{voter}": "",
    },
    remote=(
        "arena list",
        "arena define main one two",
        "arena delete main",
        "arena ask main Which?",
        "arena vote main battle_1 left",
        "arena leaderboard main",
        "arena voters main",
        "arena exclude main key_1",
    ),
    unkeyed={
        "/v1/arena/{arena}/battles": ANSWERS,
        "/v1/arena/{arena}/battles/{battle_id}/votes": SAME_TWICE,
    },
)
