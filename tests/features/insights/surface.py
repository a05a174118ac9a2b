"""The routes and commands of the feature ``insights``."""

from tests.surfaces import Surface

SURFACE = Surface(
    scopes={
        "POST /v1/insights/run": "insights",
        "GET /v1/insights/summary": "insights",
        "GET /v1/insights/topics": "insights",
        "POST /v1/insights/topics/{topic_id}": "insights",
        "GET /v1/insights/conversations": "insights",
        "GET /v1/insights/conversations/{conversation_id}": "insights",
    },
    changes={
        "POST /v1/insights/run": "what an operator configured as what is read",
        "POST /v1/insights/topics/{topic_id}": "",
    },
    remote=(
        "insights run",
        "insights topics",
        "insights conversations",
    ),
)
