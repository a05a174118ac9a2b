"""The routes and commands of the feature ``datasets``."""

from tests.surfaces import Surface

SURFACE = Surface(
    scopes={
        "GET /v1/datasets": "datasets",
        "POST /v1/datasets/{name}/versions": "curate",
        "GET /v1/datasets/{name}": "datasets",
        "GET /v1/datasets/{name}/examples": "datasets",
    },
    changes={
        "POST /v1/datasets/{name}/versions": "bounds of its settings, counted in the transaction that adds",
    },
    remote=(
        "datasets list",
        "datasets add d pyproject.toml",
        "datasets from-traces d --thumb down",
        "datasets show d",
    ),
)
