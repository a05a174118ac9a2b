"""The routes and commands of the feature ``images``."""

from tests.surfaces import ANSWERS, ASKS, Surface

SURFACE = Surface(
    scopes={
        "POST /v1/images/generations": "chat",
        "POST /v1/images/edits": "chat",
        "POST /v1/images/variations": "chat",
    },
    changes={
        "POST /v1/images/generations": ASKS,
        "POST /v1/images/edits": ASKS,
        "POST /v1/images/variations": ASKS,
    },
    unkeyed={
        "/v1/images/generations": ANSWERS,
        "/v1/images/edits": ANSWERS,
        "/v1/images/variations": ANSWERS,
    },
)
