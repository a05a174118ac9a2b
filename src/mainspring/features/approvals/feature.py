"""The feature: routes over the store of waiting tool calls."""

from mainspring.feature import Feature
from mainspring.features.approvals.routes import router

FEATURE = Feature("approvals", routes=lambda http: [router(http.rooms.stores.approvals, http.access)])
