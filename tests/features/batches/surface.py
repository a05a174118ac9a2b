"""The routes and commands of the feature ``batches``."""

from tests.surfaces import SAME_TWICE, STORES, WRITES, Surface

SURFACE = Surface(
    scopes={
        "POST /v1/batches": "ingest",
        "POST /v1/messages/batches": "ingest",
        "GET /v1/messages/batches": "ingest",
        "GET /v1/messages/batches/{batch_id}": "ingest",
        "DELETE /v1/messages/batches/{batch_id}": "ingest",
        "POST /v1/messages/batches/{batch_id}/cancel": "ingest",
        "GET /v1/messages/batches/{batch_id}/results": "ingest",
        "GET /v1/batches": "ingest",
        "GET /v1/batches/{batch_id}": "ingest",
        "POST /v1/batches/{batch_id}/cancel": "ingest",
    },
    changes={
        "POST /v1/messages/batches": STORES,
        "DELETE /v1/messages/batches/{batch_id}": "",
        "POST /v1/messages/batches/{batch_id}/cancel": "",
        "POST /v1/batches": STORES,
        "POST /v1/batches/{batch_id}/cancel": "",
    },
    answering=("batches list",),
    elsewhere=(
        "batches cancel",
        "batches show",
        "batches submit",
    ),
    without_json={
        "batches download": WRITES,
    },
    unkeyed={
        "/v1/messages/batches/{batch_id}/cancel": SAME_TWICE,
        "/v1/batches/{batch_id}/cancel": SAME_TWICE,
    },
)
