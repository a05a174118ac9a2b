"""The routes and commands of the feature ``approvals``."""

from tests.surfaces import SAME_TWICE, Surface

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
    unkeyed={
        "/v1/approvals/{approval_id}/approve": SAME_TWICE,
        "/v1/approvals/{approval_id}/deny": SAME_TWICE,
    },
)
