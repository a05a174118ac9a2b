"""The routes and commands of the feature ``trials``."""

from tests.surfaces import SAME_TWICE, Surface

SURFACE = Surface(
    scopes={
        "GET /v1/trials": "trials",
        "GET /v1/trials/{trial}": "trials",
        "POST /v1/trials/{trial}": "admin",
        "POST /v1/trials/{trial}/end": "admin",
        "DELETE /v1/trials/{trial}": "admin",
        "POST /v1/outcomes": "chat",
        "GET /v1/outcomes": "admin",
    },
    changes={
        "POST /v1/trials/{trial}": "the weights of a route's arms, in the tenant's own traffic alone",
        "POST /v1/trials/{trial}/end": "the weights of a route's arms, in the tenant's own traffic alone",
        "DELETE /v1/trials/{trial}": "",
        "POST /v1/outcomes": "",
    },
    remote=(
        "trials list",
        "trials show prompts",
        "trials end prompts",
        "trials delete prompts",
        "outcomes tell order 1 --session s",
        "outcomes list",
    ),
    elsewhere=("trials start",),
    unkeyed={
        "/v1/trials/{trial}": SAME_TWICE,
        "/v1/trials/{trial}/end": SAME_TWICE,
    },
)
