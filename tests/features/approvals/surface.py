"""The routes and commands of the feature ``approvals``."""

from tests.surfaces import Surface

SURFACE = Surface(
    scopes={
        "GET /v1/approvals": "approve",
        "GET /v1/approvals/{approval_id}": "approve",
        "POST /v1/approvals/{approval_id}/approve": "approve",
        "POST /v1/approvals/{approval_id}/deny": "approve",
    },
    changes={
        "POST /v1/approvals/{approval_id}/approve": "rules of tools: not one's own calls (below)",
        "POST /v1/approvals/{approval_id}/deny": "",
    },
    remote=(
        "approvals list",
        "approvals approve a",
        "approvals deny a",
    ),
)
