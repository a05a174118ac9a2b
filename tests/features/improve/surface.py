"""The routes and commands of the feature ``improve``."""

from tests.surfaces import MAKES_MORE, ONE_AT_A_TIME, SAME_TWICE, Surface

SURFACE = Surface(
    scopes={
        "GET /v1/improve": "improve",
        "GET /v1/improve/policies": "improve",
        "GET /v1/improve/policies/{application}": "improve",
        "GET /v1/improve/policies/{application}/versions": "improve",
        "PUT /v1/improve/policies/{application}": "admin",
        "DELETE /v1/improve/policies/{application}": "admin",
        "POST /v1/improve/policies/{application}/run": "admin",
        "POST /v1/improve/applications/{application}/undo": "admin",
        "GET /v1/improve/campaigns": "improve",
        "GET /v1/improve/campaigns/{campaign}": "improve",
        "POST /v1/improve/campaigns/{campaign}/stop": "admin",
        "GET /v1/improve/lineage/answers/{answer_id}": "improve",
        "GET /v1/improve/lineage/variants/{variant}": "improve",
        "GET /v1/improve/lineage/feedback/{event_id}": "improve",
    },
    changes={
        "PUT /v1/improve/policies/{application}": "what the loop does for an application, in the tenant alone",
        "DELETE /v1/improve/policies/{application}": "",
        "POST /v1/improve/policies/{application}/run": "",
        "POST /v1/improve/applications/{application}/undo": "what an application uses, in the tenant's own traffic",
        "POST /v1/improve/campaigns/{campaign}/stop": "",
    },
    remote=(
        "improve status",
        "improve run docs",
        "improve list",
        "improve show imp_1",
        "improve stop imp_1",
        "improve undo docs",
        "improve lineage --answer ans_1",
        "improve policies list",
        "improve policies show docs",
        "improve policies delete docs",
    ),
    elsewhere=("improve policies set", "improve demo"),
    unkeyed={
        "/v1/improve/policies/{application}/run": ONE_AT_A_TIME,
        "/v1/improve/applications/{application}/undo": MAKES_MORE,
        "/v1/improve/campaigns/{campaign}/stop": SAME_TWICE,
    },
)
