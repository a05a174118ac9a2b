"""The routes and commands of the feature ``runs``."""

from tests.surfaces import ASKS, MAKES_NOTHING, SAME_TWICE, Surface

SURFACE = Surface(
    scopes={
        "POST /v1/agents/runs": "chat",
        "GET /v1/agents/runs": "chat",
        "GET /v1/agents/runs/{run_id}": "chat",
        "DELETE /v1/agents/runs/{run_id}": "chat",
        "GET /v1/agents/runs/{run_id}/steps": "chat",
        "GET /v1/agents/runs/{run_id}/events": "chat",
        "POST /v1/agents/runs/{run_id}/cancel": "chat",
        "POST /v1/agents/runs/{run_id}/pause": "chat",
        "POST /v1/agents/runs/{run_id}/resume": "chat",
        "POST /v1/agents/runs/{run_id}/decide": "chat",
        "POST /v1/agents/runs/{run_id}/fork": "chat",
        "POST /v1/agents/runs/{run_id}/replay": "chat",
    },
    changes={
        "POST /v1/agents/runs": ASKS,
        "DELETE /v1/agents/runs/{run_id}": "",
        "POST /v1/agents/runs/{run_id}/cancel": "",
        "POST /v1/agents/runs/{run_id}/pause": "",
        "POST /v1/agents/runs/{run_id}/resume": ASKS,
        "POST /v1/agents/runs/{run_id}/decide": ASKS,
        "POST /v1/agents/runs/{run_id}/fork": ASKS,
        "POST /v1/agents/runs/{run_id}/replay": "nothing is called",
    },
    remote=(
        "runs list",
        "runs show r",
        "runs pause r",
        "runs resume r",
        "runs cancel r",
        "runs delete r",
        "runs fork r",
        "runs replay r",
        "runs decide r 1 --give-up",
    ),
    unkeyed={
        "/v1/agents/runs/{run_id}/cancel": SAME_TWICE,
        "/v1/agents/runs/{run_id}/pause": SAME_TWICE,
        "/v1/agents/runs/{run_id}/resume": SAME_TWICE,
        "/v1/agents/runs/{run_id}/decide": SAME_TWICE,
        "/v1/agents/runs/{run_id}/replay": MAKES_NOTHING,
    },
)
