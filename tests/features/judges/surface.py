"""The routes and commands of the feature ``judges``."""

from tests.surfaces import ASKS, Surface

SURFACE = Surface(
    scopes={
        "GET /v1/judges": "judges",
        "GET /v1/judges/{name}": "judges",
        "PUT /v1/judges/{name}": "judges",
        "DELETE /v1/judges/{name}": "judges",
        "POST /v1/judges/{name}/run": "judges",
    },
    changes={
        "PUT /v1/judges/{name}": "",
        "DELETE /v1/judges/{name}": "",
        "POST /v1/judges/{name}/run": ASKS,
    },
    remote=(
        "judges list",
        "judges put strict tests/features/judges/strict.yaml",
        "judges delete strict",
        "judges run copied samples/judged.jsonl",
    ),
)
