"""The routes of the feature ``hosted``."""

from tests.surfaces import Surface

SURFACE = Surface(
    scopes={
        "GET /v1/containers/{container_id}/files/{file_id}": "chat",
        "GET /v1/containers/{container_id}/files/{file_id}/content": "chat",
    },
)
