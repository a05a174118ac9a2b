"""The routes and commands of the feature ``lake``."""

from tests.surfaces import Surface

SURFACE = Surface(
    scopes={"POST /v1/lake/sql": "lake"},
    changes={"POST /v1/lake/sql": ""},
    answering=("lake sync", "lake sql 'SELECT 1'"),
)
