"""The routes and commands of the feature ``compose``."""

from tests.surfaces import ANSWERS, SAME_TWICE, Surface

SURFACE = Surface(
    scopes={
        "POST /v1/compose": "compose",
        "POST /v1/compose/{suggestion_id}/outcome": "compose",
        "GET /v1/compose/figures": "admin",
        "GET /v1/compose/personal": "compose",
        "PUT /v1/compose/personal": "compose",
        "POST /v1/compose/personal": "compose",
        "DELETE /v1/compose/personal": "compose",
    },
    changes={
        "POST /v1/compose": "each request counts to the key's limits and budgets (Charge)",
        "POST /v1/compose/{suggestion_id}/outcome": "",
        "PUT /v1/compose/personal": "",
        "POST /v1/compose/personal": "",
        "DELETE /v1/compose/personal": "",
    },
    remote=("compose suggest text", "compose figures", "compose personal"),
    elsewhere=("compose eval", "compose export"),
    unkeyed={
        "/v1/compose/personal": SAME_TWICE,
        "/v1/compose": ANSWERS,
        "/v1/compose/{suggestion_id}/outcome": SAME_TWICE,
    },
)
