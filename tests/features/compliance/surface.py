"""The routes and commands of the feature ``compliance``."""

from tests.surfaces import WRITES, Surface

SURFACE = Surface(
    scopes={
        "GET /v1/subjects/{subject_id}": "admin",
        "DELETE /v1/subjects/{subject_id}": "admin",
        "GET /v1/erasures": "admin",
        "GET /v1/erasures/{erasure_id}": "admin",
        "GET /v1/audit": "admin",
        "GET /v1/audit/verify": "admin",
        "GET /v1/audit/export": "admin",
    },
    changes={
        "DELETE /v1/subjects/{subject_id}": "sums of money and budgets stay (tests/conformance/test_erasing.py)",
    },
    answering=(
        "retention",
        "audit list",
        "audit verify",
        "subjects erase nobody --yes",
    ),
    without_json={
        "audit export": WRITES,
        "subjects show": WRITES,
    },
)
