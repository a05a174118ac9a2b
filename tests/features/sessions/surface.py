"""The routes and commands of the feature ``sessions``."""

from tests.surfaces import SAME_TWICE, STORES, WRITES, Surface

SURFACE = Surface(
    scopes={
        "GET /v1/sessions": "chat",
        "GET /v1/sessions/{session_id}": "chat",
        "DELETE /v1/sessions/{session_id}": "chat",
        "GET /v1/sessions/{session_id}/messages": "chat",
        "GET /v1/sessions/{session_id}/summary": "chat",
        "GET /v1/sessions/{session_id}/export": "chat",
        "POST /v1/sessions/{session_id}": "chat",
        "POST /v1/sessions/{session_id}/fork": "chat",
    },
    changes={
        "POST /v1/sessions/{session_id}": "",
        "DELETE /v1/sessions/{session_id}": "",
        "POST /v1/sessions/{session_id}/fork": STORES,
    },
    answering=("sessions list",),
    elsewhere=(
        "sessions delete",
        "sessions fork",
        "sessions show",
    ),
    without_json={
        "sessions export": WRITES,
    },
    unkeyed={
        "/v1/sessions/{session_id}": SAME_TWICE,
    },
)
