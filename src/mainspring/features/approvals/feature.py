"""The feature: routes over the store of calls that wait."""

from mainspring.feature import Feature
from mainspring.features.approvals.routes import router

FEATURE = Feature("approvals", routes=lambda http: [router(http.rooms.stores.approvals, http.access)])
