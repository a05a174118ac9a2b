"""The routes and commands of the feature ``memory``."""

from tests.surfaces import MAKES_NOTHING, SAME_TWICE, Surface

SURFACE = Surface(
    scopes={
        "GET /v1/memories": "chat",
        "POST /v1/memories": "chat",
        "DELETE /v1/memories": "chat",
        "GET /v1/memories/consent": "chat",
        "PUT /v1/memories/consent": "chat",
        "POST /v1/memories/search": "chat",
        "GET /v1/memories/{memory_id}": "chat",
        "POST /v1/memories/{memory_id}": "chat",
        "DELETE /v1/memories/{memory_id}": "chat",
        "GET /v1/memories/{memory_id}/history": "chat",
    },
    changes={
        "POST /v1/memories": "",
        "POST /v1/memories/search": "limits",
        "POST /v1/memories/{memory_id}": "",
        "PUT /v1/memories/consent": "",
        "DELETE /v1/memories": "",
        "DELETE /v1/memories/{memory_id}": "",
    },
    remote=(
        "memory list",
        "memory add tea",
        "memory search tea",
        "memory edit m tea",
        "memory forget m",
        "memory history m",
        "memory consent",
    ),
    unkeyed={
        "/v1/memories/search": MAKES_NOTHING,
        "/v1/memories": SAME_TWICE,
        "/v1/memories/{memory_id}": SAME_TWICE,
    },
)
