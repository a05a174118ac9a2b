"""The routes and commands of the feature ``audio``."""

from tests.surfaces import ANSWERS, ASKS, Surface

SURFACE = Surface(
    scopes={
        "POST /v1/audio/transcriptions": "chat",
        "POST /v1/audio/translations": "chat",
        "POST /v1/audio/speech": "chat",
    },
    changes={
        "POST /v1/audio/speech": ASKS,
        "POST /v1/audio/transcriptions": ASKS,
        "POST /v1/audio/translations": ASKS,
    },
    unkeyed={
        "/v1/audio/transcriptions": ANSWERS,
        "/v1/audio/translations": ANSWERS,
        "/v1/audio/speech": ANSWERS,
    },
)
