"""The routes and commands of the feature ``images``."""

from tests.surfaces import ASKS, Surface

SURFACE = Surface(
    scopes={
        "POST /v1/images/generations": "chat",
    },
    changes={
        "POST /v1/images/generations": ASKS,
    },
)
