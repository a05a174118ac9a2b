"""The routes and commands of the feature ``code``."""

from tests.surfaces import ASKS, SERVES, Surface

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
    ),
    without_json={
        "code lsp": SERVES,
    },
)
