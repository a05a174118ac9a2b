"""The routes and commands of the feature ``imports``."""

from tests.surfaces import SAME_TWICE, Surface

SURFACE = Surface(
    scopes={
        "POST /v1/imports": "import",
        "GET /v1/imports": "import",
        "GET /v1/imports/{import_id}": "import",
        "POST /v1/imports/{import_id}/cancel": "import",
    },
    elsewhere=("import langfuse", "import langsmith", "import openai", "import tensorzero"),
    changes={
        "POST /v1/imports": "a job that a file's records are written by",
        "POST /v1/imports/{import_id}/cancel": "",
    },
    unkeyed={
        "/v1/imports/{import_id}/cancel": SAME_TWICE,
    },
)
