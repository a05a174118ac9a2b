"""The routes and commands of the feature ``datasets``."""

from tests.surfaces import ASKS, MAKES_MORE, SAME_TWICE, WRITES, Surface

SURFACE = Surface(
    scopes={
        "GET /v1/datasets": "datasets",
        "POST /v1/datasets/{name}/versions": "curate",
        "GET /v1/datasets/{name}": "datasets",
        "GET /v1/datasets/{name}/examples": "datasets",
        "GET /v1/datasets/{name}/versions": "datasets",
        "GET /v1/datasets/{name}/diff": "datasets",
        "GET /v1/datasets/{name}/export": "datasets",
        "POST /v1/datasets/{name}/split": "curate",
        "POST /v1/datasets/{name}/tags": "curate",
        "DELETE /v1/datasets/{name}": "curate",
    },
    changes={
        "POST /v1/datasets/{name}/versions": "bounds of its settings, counted in the transaction that adds; " + ASKS,
        "POST /v1/datasets/{name}/split": "as POST /v1/datasets/{name}/versions",
        "POST /v1/datasets/{name}/tags": "",
        "DELETE /v1/datasets/{name}": "",
    },
    remote=(
        "datasets list",
        "datasets add d pyproject.toml",
        "datasets from-traces d --thumb down",
        "datasets show d",
        "datasets suite d --collection c --model m",
        "datasets split d",
        "datasets diff d 1 2",
        "datasets tag d good 1",
        "datasets remove d e",
        "datasets delete d",
        "datasets versions d",
    ),
    without_json={"datasets export": WRITES},
    unkeyed={
        "/v1/datasets/{name}/versions": MAKES_MORE,
        "/v1/datasets/{name}/split": MAKES_MORE,
        "/v1/datasets/{name}/tags": SAME_TWICE,
    },
)
