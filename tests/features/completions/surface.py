"""The routes and commands of the feature ``completions``."""

from tests.surfaces import SAME_TWICE, Surface

SURFACE = Surface(
    scopes={
        "GET /v1/chat/completions": "chat",
        "GET /v1/chat/completions/{completion_id}": "chat",
        "POST /v1/chat/completions/{completion_id}": "chat",
        "DELETE /v1/chat/completions/{completion_id}": "chat",
        "GET /v1/chat/completions/{completion_id}/messages": "chat",
    },
    changes={
        "POST /v1/chat/completions/{completion_id}": "",
        "DELETE /v1/chat/completions/{completion_id}": "",
    },
    unkeyed={
        "/v1/chat/completions/{completion_id}": SAME_TWICE,
    },
)
