"""The routes and commands of the feature ``review``."""

from tests.surfaces import Surface

QUEUE = "/v1/review/queues/{queue}"
SURFACE = Surface(
    scopes={
        "POST /v1/review/run": "curate",
        "GET /v1/review/queues": "review",
        "POST /v1/review/queues": "curate",
        f"GET {QUEUE}": "review",
        f"POST {QUEUE}": "curate",
        f"DELETE {QUEUE}": "curate",
        f"GET {QUEUE}/versions": "review",
        f"GET {QUEUE}/items": "curate",
        f"POST {QUEUE}/items": "curate",
        f"GET {QUEUE}/items/{{item_id}}": "curate",
        f"GET {QUEUE}/agreement": "curate",
        f"GET {QUEUE}/reviewers": "curate",
        f"GET {QUEUE}/threshold": "curate",
        f"GET {QUEUE}/estimate": "curate",
        f"POST {QUEUE}/next": "review",
        f"POST {QUEUE}/items/{{item_id}}/label": "review",
        f"POST {QUEUE}/items/{{item_id}}/return": "review",
        f"POST {QUEUE}/items/{{item_id}}/skip": "review",
    },
    changes={
        "POST /v1/review/run": "what an operator configured as what is read",
        "POST /v1/review/queues": "as many as review.queues (tests/features/review/test_queues.py)",
        f"POST {QUEUE}": "",
        f"DELETE {QUEUE}": "",
        f"POST {QUEUE}/items": "as many as review.open_items (tests/features/review/test_queues.py)",
        f"POST {QUEUE}/next": "",
        f"POST {QUEUE}/items/{{item_id}}/label": "one event a label, and one label an item and person",
        f"POST {QUEUE}/items/{{item_id}}/return": "",
        f"POST {QUEUE}/items/{{item_id}}/skip": "",
    },
)
