"""The routes and commands of the feature ``variants``."""

from tests.surfaces import MAKES_MORE, SAME_TWICE, Surface

SURFACE = Surface(
    scopes={
        "GET /v1/variants": "admin",
        "POST /v1/variants": "admin",
        "GET /v1/variants/candidates": "admin",
        "GET /v1/variants/candidates/{candidate}": "admin",
        "POST /v1/variants/candidates/{candidate}": "admin",
        "GET /v1/variants/{application}": "admin",
        "GET /v1/variants/{application}/history": "admin",
        "POST /v1/variants/{application}/undo": "admin",
    },
    changes={
        "POST /v1/variants": "a candidate is askable by its name, by the tenant alone",
        "POST /v1/variants/candidates/{candidate}": "what the tenant's own application answers by",
        "POST /v1/variants/{application}/undo": "what the tenant's own application answers by",
    },
    remote=(
        "variants list",
        "variants candidates",
        "variants admit document-qa model model=large",
        "variants shadow cand_1",
        "variants canary cand_1",
        "variants promote cand_1",
        "variants withdraw cand_1",
        "variants undo document-qa",
    ),
    elsewhere=("variants show",),
    unkeyed={
        "/v1/variants": SAME_TWICE,
        "/v1/variants/candidates/{candidate}": SAME_TWICE,
        "/v1/variants/{application}/undo": MAKES_MORE,
    },
)
