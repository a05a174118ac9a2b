"""The routes and commands of the feature ``prompts``."""

from tests.surfaces import MAKES_MORE, MAKES_NOTHING, STORES, Surface

SURFACE = Surface(
    scopes={
        "GET /v1/prompts": "prompts",
        "GET /v1/prompts/{name}": "prompts",
        "DELETE /v1/prompts/{name}": "prompts",
        "POST /v1/prompts/{name}/versions": "prompts",
        "GET /v1/prompts/{name}/versions/{version}": "prompts",
        "DELETE /v1/prompts/{name}/versions/{version}": "prompts",
        "POST /v1/prompts/{name}/versions/{version}/render": "prompts",
        "GET /v1/prompts/{name}/diff": "prompts",
        "GET /v1/prompts/{name}/labels/{label}": "prompts",
        "PUT /v1/prompts/{name}/labels/{label}": "prompts",
        "POST /v1/prompts/{name}/labels/{label}/rollback": "prompts",
        "DELETE /v1/prompts/{name}/labels/{label}": "prompts",
    },
    changes={
        "DELETE /v1/prompts/{name}": "serving.prompts_tenant names the tenant that may",
        "POST /v1/prompts/{name}/versions": STORES,
        "DELETE /v1/prompts/{name}/versions/{version}": "serving.prompts_tenant names the tenant that may",
        "POST /v1/prompts/{name}/versions/{version}/render": "",
        "PUT /v1/prompts/{name}/labels/{label}": "serving.prompts_tenant names the tenant that may",
        "POST /v1/prompts/{name}/labels/{label}/rollback": "serving.prompts_tenant names the tenant that may",
        "DELETE /v1/prompts/{name}/labels/{label}": "serving.prompts_tenant names the tenant that may",
    },
    answering=(
        "prompts list",
        "prompts show p",
        "prompts show p 1",
        "prompts add p p.txt",
        "prompts diff p 1 2",
        "prompts label p staging 2",
        "prompts label p staging 1",
        "prompts rollback p staging",
        "prompts delete p 1",
    ),
    unkeyed={
        "/v1/prompts/{name}/versions/{version}/render": MAKES_NOTHING,
        "/v1/prompts/{name}/labels/{label}/rollback": MAKES_MORE,
    },
)
