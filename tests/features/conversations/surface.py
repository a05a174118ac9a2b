"""The routes and commands of the feature ``conversations``."""

from tests.surfaces import MAKES_MORE, SAME_TWICE, Surface

SURFACE = Surface(
    scopes={
        "POST /v1/conversations": "chat",
        "GET /v1/conversations/{conversation_id}": "chat",
        "POST /v1/conversations/{conversation_id}": "chat",
        "DELETE /v1/conversations/{conversation_id}": "chat",
        "GET /v1/conversations/{conversation_id}/items": "chat",
        "POST /v1/conversations/{conversation_id}/items": "chat",
        "GET /v1/conversations/{conversation_id}/items/{item_id}": "chat",
        "DELETE /v1/conversations/{conversation_id}/items/{item_id}": "chat",
    },
    changes={
        "POST /v1/conversations": "",
        "POST /v1/conversations/{conversation_id}": "",
        "DELETE /v1/conversations/{conversation_id}": "",
        "POST /v1/conversations/{conversation_id}/items": "",
        "DELETE /v1/conversations/{conversation_id}/items/{item_id}": "",
    },
    unkeyed={
        "/v1/conversations/{conversation_id}": SAME_TWICE,
        "/v1/conversations/{conversation_id}/items": MAKES_MORE,
    },
)
