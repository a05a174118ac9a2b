"""The routes and commands of the feature ``replays``."""

from tests.surfaces import SAME_TWICE, Surface

SURFACE = Surface(
    scopes={
        "POST /v1/replays": "replay",
        "GET /v1/replays": "replay",
        "GET /v1/replays/{replay_id}": "replay",
        "POST /v1/replays/{batch_id}/cancel": "replay",
    },
    changes={
        "POST /v1/replays": "policies: another one takes operate (test_replays)",
        "POST /v1/replays/{batch_id}/cancel": "",
    },
    remote=("replay {trace}",),
    unkeyed={
        "/v1/replays/{batch_id}/cancel": SAME_TWICE,
    },
)
