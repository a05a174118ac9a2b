"""The routes and commands of the feature ``lake``."""

from tests.surfaces import MAKES_NOTHING, ONE_AT_A_TIME, SAME_TWICE, Surface

SURFACE = Surface(
    scopes={
        "POST /v1/lake/sql": "lake",
        "GET /v1/lake/summary": "lake",
        "GET /v1/lake/lineage": "lake",
        "POST /v1/lake/withdrawals": "admin",
        "POST /v1/lake/builds": "lake",
        "GET /v1/lake/builds": "lake",
        "GET /v1/lake/builds/{build_id}": "lake",
        "GET /v1/lake/builds/{build_id}/samples": "lake",
        "POST /v1/lake/exports": "lake",
        "GET /v1/lake/exports": "lake",
        "GET /v1/lake/exports/{export_id}": "lake",
        "GET /v1/lake/exports/{export_id}/rows": "lake",
        "GET /v1/lake/exports/{export_id}/files/{name}": "lake",
        "DELETE /v1/lake/exports/{export_id}": "lake",
        "POST /v1/lake/features/sync": "admin",
        "POST /v1/lake/features/read": "admin",
        "GET /v1/lake/features/{entity}/{entity_id}": "admin",
    },
    changes={
        "POST /v1/lake/sql": "",
        "POST /v1/lake/withdrawals": "",
        "POST /v1/lake/builds": "one build of a tenant at a time, by the options that an operator set",
        "POST /v1/lake/exports": "",
        "DELETE /v1/lake/exports/{export_id}": "",
        "POST /v1/lake/features/sync": "",
        "POST /v1/lake/features/read": "",
    },
    elsewhere=("lake funnel", "lake export"),
    answering=("lake sync", "lake build", "lake sql VALUES(1)", "lake exports", "lake features user ada"),
    unkeyed={
        "/v1/lake/features/sync": SAME_TWICE,
        "/v1/lake/features/read": MAKES_NOTHING,
        "/v1/lake/sql": MAKES_NOTHING,
        "/v1/lake/withdrawals": SAME_TWICE,
        "/v1/lake/builds": ONE_AT_A_TIME,
    },
)
