"""The routes and commands of the feature ``code``."""

from tests.surfaces import ANSWERS, ASKS, MAKES_NOTHING, SAME_TWICE, SERVES, Surface

SURFACE = Surface(
    scopes={
        "POST /complete": "chat",
        "POST /v1/code/complete": "chat",
        "POST /v1/code/actions": "chat",
        "POST /v1/code/workspaces": "chat",
        "GET /v1/code/workspaces": "chat",
        "GET /v1/code/workspaces/{workspace_id}": "chat",
        "DELETE /v1/code/workspaces/{workspace_id}": "chat",
        "POST /v1/code/workspaces/{workspace_id}/sync": "chat",
        "POST /v1/code/workspaces/{workspace_id}/files": "chat",
        "GET /v1/code/workspaces/{workspace_id}/files": "chat",
        "DELETE /v1/code/workspaces/{workspace_id}/files/{path}": "chat",
        "POST /v1/code/workspaces/{workspace_id}/search": "chat",
    },
    changes={
        "POST /complete": ASKS,
        "POST /v1/code/complete": ASKS,
        "POST /v1/code/actions": ASKS,
        "POST /v1/code/workspaces": "",
        "DELETE /v1/code/workspaces/{workspace_id}": "",
        "POST /v1/code/workspaces/{workspace_id}/sync": "",
        "POST /v1/code/workspaces/{workspace_id}/files": "",
        "DELETE /v1/code/workspaces/{workspace_id}/files/{path}": "",
        "POST /v1/code/workspaces/{workspace_id}/search": "",
    },
    remote=(
        "code workspaces",
        "code index .",
        "code remove a",
        "code complete good.md --line 1",
        "code explain good.md",
        "code fix good.md",
        "code test good.md",
        "code document good.md",
    ),
    without_json={
        "code lsp": SERVES,
    },
    unkeyed={
        "/v1/code/workspaces": SAME_TWICE,
        "/v1/code/workspaces/{workspace_id}/sync": SAME_TWICE,
        "/v1/code/workspaces/{workspace_id}/files": SAME_TWICE,
        "/v1/code/workspaces/{workspace_id}/search": MAKES_NOTHING,
        "/v1/code/complete": ANSWERS,
        "/complete": ANSWERS,
        "/v1/code/actions": ANSWERS,
    },
)
