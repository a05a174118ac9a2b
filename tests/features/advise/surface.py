"""The routes and commands of the feature ``advise``."""

from tests.surfaces import ASKS, SAME_TWICE, Surface

SURFACE = Surface(
    scopes={
        "POST /v1/advice": "advise",
        "GET /v1/advice": "advise",
        "GET /v1/advice/{advice}": "advise",
        "GET /v1/advice/{advice}/report": "advise",
        "POST /v1/advice/{advice}/cancel": "advise",
        "DELETE /v1/advice/{advice}": "advise",
    },
    changes={
        "POST /v1/advice": ASKS,
        "POST /v1/advice/{advice}/cancel": "",
        "DELETE /v1/advice/{advice}": "",
    },
    remote=(
        "advise run d --model m",
        "advise list",
        "advise show a",
        "advise cancel a",
        "advise delete a",
    ),
    unkeyed={
        "/v1/advice/{advice}/cancel": SAME_TWICE,
    },
)
