"""Assigns a request to an arm of a route: by weight, and always the same one for the same session or key."""

from __future__ import annotations

from mainspring.core.settings.serving.routing import RouteSettings
from mainspring.core.types import ChatRequest, Context, Request
from mainspring.serving.route.replica_choice import rendezvous


def unit(route: str, settings: RouteSettings, request: Request, context: Context) -> str:
    """The unit that stays together: a tenant's session, else its end user; its key; or this one request."""
    principal = context.principal
    if settings.sticky == "key":
        return f"{route}\0{principal.tenant}\0key\0{principal.key_id}"
    if settings.sticky == "session":
        if isinstance(request, ChatRequest) and request.session_id is not None:
            return f"{route}\0{principal.tenant}\0session\0{request.session_id}"
        if request.user is not None:
            return f"{route}\0{principal.tenant}\0user\0{request.user}"
    # A request keeps its trace through all layers, so that every layer computes the same arm.
    return f"{route}\0{principal.tenant}\0trace\0{context.trace.trace_id}"


def arm_of(settings: RouteSettings, unit: str) -> str:
    """The arm of ``unit``. A change of one weight moves only what that arm gains or loses."""
    return max(settings.arms, key=lambda name: rendezvous(unit, name, settings.arms[name].weight))


def copied(share: float, name: str, context: Context) -> bool:
    """Whether a shadow gets this request: the same for the same trace."""
    if share >= 1:
        return True
    # Two arms have these weights; one of them is the copy's.
    unit = f"shadow\0{name}\0{context.trace.trace_id}"
    return rendezvous(unit, "copy", share) > rendezvous(unit, "none", 1 - share)
