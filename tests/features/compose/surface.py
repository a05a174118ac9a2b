"""The routes and commands of the feature ``compose``."""

from tests.surfaces import ANSWERS, ASKS, MAKES_MORE, SAME_TWICE, STORES, Surface

SURFACE = Surface(
    scopes={
        "POST /v1/compose": "compose",
        "POST /v1/compose/{suggestion_id}/outcome": "compose",
        "POST /v1/compose/{suggestion_id}/sent": "compose",
        "POST /v1/compose/sent/held-out": "admin",
        "GET /v1/compose/models": "compose",
        "GET /v1/compose/figures": "admin",
        "GET /v1/compose/personal": "compose",
        "PUT /v1/compose/personal": "compose",
        "POST /v1/compose/personal": "compose",
        "DELETE /v1/compose/personal": "compose",
    },
    changes={
        "POST /v1/compose": ASKS,
        "POST /v1/compose/{suggestion_id}/outcome": "",
        "POST /v1/compose/{suggestion_id}/sent": STORES,
        "POST /v1/compose/sent/held-out": STORES,
        "PUT /v1/compose/personal": "",
        "POST /v1/compose/personal": "",
        "DELETE /v1/compose/personal": "",
    },
    remote=(
        "compose suggest text",
        "compose models",
        "compose use mails@1",
        "compose held-out held-out",
        "compose figures",
        "compose personal",
    ),
    elsewhere=("compose eval", "compose export"),
    unkeyed={
        "/v1/compose/personal": SAME_TWICE,
        "/v1/compose": ANSWERS,
        "/v1/compose/{suggestion_id}/outcome": SAME_TWICE,
        "/v1/compose/{suggestion_id}/sent": MAKES_MORE,
        "/v1/compose/sent/held-out": SAME_TWICE,
    },
)
