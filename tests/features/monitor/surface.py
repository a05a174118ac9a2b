"""The routes and commands of the feature ``monitor``."""

from tests.surfaces import MAKES_MORE, QUIET, SAME_TWICE, WRITES, Surface

SURFACE = Surface(
    scopes={
        "GET /v1/alerts": "admin",
        "GET /v1/alerts/{alert_id}": "admin",
        "POST /v1/alerts/{alert_id}/acknowledge": "admin",
        "GET /v1/silences": "admin",
        "POST /v1/silences": "operate",
        "DELETE /v1/silences/{silence_id}": "operate",
        "GET /v1/drift": "admin",
        "POST /v1/drift/accept": "admin",
        "GET /v1/slos": "admin",
        "GET /v1/quality": "admin",
    },
    changes={
        "POST /v1/alerts/{alert_id}/acknowledge": "an alert was told by then, and its end is told",
        "POST /v1/drift/accept": "what traffic is to be expected, not which change is told",
    },
    remote=(
        "alerts",
        "alerts acknowledge a",
        "alerts silence 1h",
        "alerts silences",
        "slos",
    ),
    without_json={
        "telemetry alerts": WRITES,
        "telemetry dashboard": WRITES,
        "telemetry rules": WRITES,
        "telemetry write": WRITES,
        "alerts speak": QUIET,
    },
    unkeyed={
        "/v1/alerts/{alert_id}/acknowledge": SAME_TWICE,
        "/v1/silences": MAKES_MORE,
        "/v1/drift/accept": SAME_TWICE,
    },
)
