"""The routes and commands of the feature ``translate``."""

from tests.surfaces import ANSWERS, ASKS, MAKES_MORE, MAKES_NOTHING, SAME_TWICE, STORES, Surface

SURFACE = Surface(
    scopes={
        "POST /v1/translate": "translate",
        "POST /v1/translate/detect": "translate",
        "GET /v1/translate/languages": "translate",
        "POST /v1/translate/{answer_id}/edit": "translate",
        "GET /v1/translate/edits": "admin",
        "POST /v1/translate/edits/held-out": "admin",
    },
    changes={
        "POST /v1/translate": ASKS,
        "POST /v1/translate/detect": ASKS,
        "POST /v1/translate/{answer_id}/edit": STORES,
        "POST /v1/translate/edits/held-out": STORES,
    },
    remote=(
        "translate text Hello --to fr",
        "translate Hello --to fr",
        "translate languages",
        "translate edits pairs.jsonl",
        "translate held-out held-out",
    ),
    elsewhere=("translate file", "translate data", "translate convert"),
    unkeyed={
        "/v1/translate": ANSWERS,
        "/v1/translate/detect": MAKES_NOTHING,
        "/v1/translate/{answer_id}/edit": MAKES_MORE,
        "/v1/translate/edits/held-out": SAME_TWICE,
    },
)
