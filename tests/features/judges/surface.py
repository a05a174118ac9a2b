"""The routes and commands of the feature ``judges``."""

from tests.surfaces import ANSWERS, ASKS, MAKES_MORE, MAKES_NOTHING, Surface

SURFACE = Surface(
    scopes={
        "GET /v1/judges": "judges",
        "GET /v1/judges/{name}": "judges",
        "PUT /v1/judges/{name}": "judges",
        "DELETE /v1/judges/{name}": "judges",
        "POST /v1/judges/{name}/run": "judges",
        "POST /v1/judges/{name}/measure": "judges",
        "POST /v1/judges/{name}/estimate": "judges",
        "POST /v1/judges/{name}/fit": "judges",
        "GET /v1/judges/measurements": "judges",
        "GET /v1/judges/measurements/{measurement_id}": "judges",
        "DELETE /v1/judges/measurements/{measurement_id}": "judges",
    },
    changes={
        "PUT /v1/judges/{name}": "",
        "DELETE /v1/judges/{name}": "",
        "POST /v1/judges/{name}/run": ASKS,
        "POST /v1/judges/{name}/measure": ASKS,
        "POST /v1/judges/{name}/estimate": ASKS,
        "POST /v1/judges/{name}/fit": "",
        "DELETE /v1/judges/measurements/{measurement_id}": "",
    },
    remote=(
        "judges list",
        "judges put strict rules.yaml",
        "judges delete strict",
        "judges run copied judged.jsonl",
        "judges measure copied --labels judged.jsonl",
        "judges estimate copied shop",
        "judges fit cheap-faithfulness mine",
        "judges measurements",
        "judges figures copied",
    ),
    unkeyed={
        "/v1/judges/{name}/measure": MAKES_MORE,
        "/v1/judges/{name}/fit": MAKES_MORE,
        "/v1/judges/{name}/estimate": MAKES_NOTHING,
        "/v1/judges/{name}/run": ANSWERS,
    },
)
