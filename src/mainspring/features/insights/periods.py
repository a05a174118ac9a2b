"""The period that a request asks about."""

# No postponed annotations here: FastAPI must see them.

import time
from typing import Annotated

from fastapi import Depends, Query

from mainspring.features.insights.store.views import Period

_DAY = 86_400.0


async def period_of(
    days: Annotated[
        float, Query(gt=0, le=3650, allow_inf_nan=False, description="Length of the period in days")
    ] = 30.0,
    until: Annotated[
        float | None,
        Query(ge=0, le=9e9, allow_inf_nan=False, description="End of the period in Unix seconds; default: now"),
    ] = None,
    application: Annotated[str, Query(max_length=256, description="Only this one's")] = "",
) -> Period:
    """The period that a request asks about."""
    end = time.time() if until is None else until
    return Period(end - days * _DAY, end, application)


AskedPeriod = Annotated[Period, Depends(period_of)]
