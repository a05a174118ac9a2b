"""The routes and commands of the feature ``uploads``."""

from tests.surfaces import SAME_TWICE, STORES, Surface

SURFACE = Surface(
    scopes={
        "POST /v1/uploads": "ingest",
        "POST /v1/uploads/{upload_id}/parts": "ingest",
        "POST /v1/uploads/{upload_id}/complete": "ingest",
        "POST /v1/uploads/{upload_id}/cancel": "ingest",
    },
    changes={
        "POST /v1/uploads": "its parts have bounds of their own, and the file that it becomes is one of the quota",
        "POST /v1/uploads/{upload_id}/parts": "see the upload",
        "POST /v1/uploads/{upload_id}/complete": STORES,
        "POST /v1/uploads/{upload_id}/cancel": "",
    },
    unkeyed={
        "/v1/uploads/{upload_id}/parts": SAME_TWICE,
        "/v1/uploads/{upload_id}/complete": SAME_TWICE,
        "/v1/uploads/{upload_id}/cancel": SAME_TWICE,
    },
)
