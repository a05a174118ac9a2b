"""The registry of served names: chat models, embedding models, applications and collections."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from mainspring.core.errors import (
    Conflict,
    DeadlineExceeded,
    InvalidRequest,
    ModelNotPulled,
    UnknownModel,
    Unsupported,
)
from mainspring.core.nearest import MAX_NAME, MAX_NAMES
from mainspring.core.types import (
    IGNORED_HEADER,
    ChatRequest,
    CompletionRequest,
    Context,
    Principal,
    Reach,
    Request,
    RerankRequest,
    Responder,
    Response,
)
from mainspring.engines.chat.template import unread

if TYPE_CHECKING:
    # The layers do not load what pulls models.
    from mainspring.engines.catalogue.larger_model import Progress

Kind = Literal["chat", "embedding", "reranker", "application", "collection"]
MAX_DEPTH = 8


@dataclass(frozen=True, slots=True)
class Served:
    """A served name and its responder.

    ``groups`` restricts it to principals who are in one of them (empty: everybody). ``sampled`` is false if the same
    request always gets the same answer, at any temperature. ``created`` is Unix seconds. An application that
    ``completes`` answers completions of raw text, as chat models do.
    """

    name: str
    kind: Kind
    responder: Responder
    created: int = 0
    owner: str = "mainspring"
    groups: frozenset[str] = frozenset()
    sampled: bool = True
    completes: bool = False

    def visible(self, principal: Principal) -> bool:
        """Whether it exists for ``principal``."""
        return (not self.groups or bool(self.groups & principal.groups)) and self.within(principal.reach)

    def within(self, reach: Reach) -> bool:
        """Whether a caller limited to ``reach`` may name it: a list of models also restricts collections if there is no
        list of those."""
        if not reach.models or self.name in reach.models:
            return True
        return self.kind == "collection" and bool(reach.collections)


class TenantCollections(Protocol):
    """The tenant's own names that a principal may ask, looked up at each request: a version must never be stale."""

    async def find(self, name: str, principal: Principal) -> Served | None: ...

    async def visible(self, principal: Principal) -> list[Served]: ...


class TenantVariants(Protocol):
    """The variants that a tenant has for an application, in place of the settings."""

    def varied(self, served: Served, principal: Principal) -> Served:
        """``served``, with the responder that answers ``principal``."""
        ...


class Hosting(Protocol):
    """Answers requests with tools that the server runs."""

    async def respond(self, request: ChatRequest, context: Context, served: Served) -> Response:
        """An answer of ``served``, which may call ``request.hosted`` before. Raises ``Unsupported`` for a tool that is
        not available here."""
        ...


class Registry:
    """Everything that is served: fixed names, then the collections of the asking tenant."""

    def __init__(self, collections: TenantCollections | None = None) -> None:
        self._served: dict[str, Served] = {}
        self._sources = [collections] if collections is not None else []
        self.coming: dict[str, Callable[[], Progress]] = {}
        """Chat models that are not served yet, and their progress."""
        self.hosting: Hosting | None = None
        self.variants: TenantVariants | None = None
        self.gone: list[Callable[[str, Principal], Awaitable[str]]] = []
        """Each says what became of a name that was served, as ``NAME was withdrawn``; empty: it knows of none."""

    def add(self, served: Served) -> None:
        """Serve one more name. Raises ``Conflict`` when it is taken."""
        if served.name in self._served:
            raise Conflict(f"the name {served.name} is served already")
        self._served[served.name] = served

    def replace(self, served: Served) -> None:
        """Serve it, replacing an entry of the same name."""
        self._served[served.name] = served

    def attach(self, source: TenantCollections) -> None:
        """Also serve the tenants' own names (collections, agents), whose rooms open after this one."""
        self._sources.append(source)

    async def find(self, name: str, principal: Principal, *, inner: bool = False) -> Served:
        """The responder under ``name`` for ``principal``, with its tenant's variants. Raises ``UnknownModel`` with the
        nearest names.

        ``inner``: a permitted application names it; the caller itself need not be allowed to.
        """
        return self._varied(await self.plain(name, principal, inner=inner), principal)

    async def plain(self, name: str, principal: Principal, *, inner: bool = False) -> Served:
        """The same without the tenant's variants, as the settings say. Raises ``UnknownModel``."""
        if inner:
            principal = _unlimited(principal)
        served = self._served.get(name)
        if served is not None and served.visible(principal):
            return served
        for source in self._sources:
            found = await source.find(name, principal)
            if found is not None and found.within(principal.reach):
                return found
        if name in self.coming:
            remedy = "Ask again when GET /v1/models lists it, or ask another model"
            raise ModelNotPulled(f"{self.coming[name]()}", remedy=remedy)
        for says in self.gone if "@" in name else ():
            if told := await says(name, principal):
                raise UnknownModel(told, remedy="GET /v1/models lists what is served", param="model")
        known = [served.name for served in await self.models(principal)]
        close = difflib.get_close_matches(name[:MAX_NAME], known[:MAX_NAMES], n=3, cutoff=0.4)
        remedy = f"Did you mean {' or '.join(close)}?" if close else "GET /v1/models lists what is served"
        raise UnknownModel(f"no model, application or collection {name!r} is served", remedy=remedy, param="model")

    def fixed(self, name: str, principal: Principal, *, inner: bool = False, plain: bool = False) -> Served | None:
        """The same without the collections, which only ``find`` can look up; ``plain``: without variants."""
        if inner:
            principal = _unlimited(principal)
        served = self._served.get(name)
        if served is None or not served.visible(principal):
            return None
        return served if plain else self._varied(served, principal)

    def _varied(self, served: Served, principal: Principal) -> Served:
        return served if self.variants is None else self.variants.varied(served, principal)

    async def basis(self, request: Request, context: Context) -> str:
        """The state of the documents behind an answer to ``request``, as the caller may see them; empty if there are
        none. Raises ``UnknownModel``."""
        served = await self.find(request.model, context.principal)
        if served.kind not in ("application", "collection"):
            return ""
        # A responder without a fingerprint counts as different each time.
        return served.responder.fingerprint(request, context) or context.trace.span_id

    async def models(self, principal: Principal) -> list[Served]:
        """Everything that ``principal`` may name, in the order of registration."""
        served = [served for served in self._served.values() if served.visible(principal)]
        for source in self._sources:
            found = [each for each in await source.visible(principal) if each.within(principal.reach)]
            names = {each.name for each in served}
            served += [each for each in found if each.name not in names]
        return served


class Select:
    """The core of the request ring: passes a request to the responder with its model name. ``inner`` is for
    applications that call models by configured names."""

    def __init__(self, registry: Registry, *, inner: bool = False) -> None:
        self._registry = registry
        self._inner = inner

    async def respond(self, request: Request, context: Context) -> Response:
        if context.depth > MAX_DEPTH:
            raise InvalidRequest(f"applications call each other more than {MAX_DEPTH} levels deep", param="model")
        remaining = context.remaining()
        if remaining is not None and remaining <= 0:
            raise DeadlineExceeded("the deadline passed before the request reached a model")
        served = await self._registry.find(request.model, context.principal, inner=self._inner)
        _check_kind(request, served)
        response = await self._answered(request, context, served)
        if isinstance(request, ChatRequest) and request.variables and served.kind in ("application", "collection"):
            # These write their own prompts, which have no place for a template's variables.
            headers = response.head.headers
            told = [headers[IGNORED_HEADER]] if IGNORED_HEADER in headers else []
            names = ", ".join([*told, *unread(request.variables, {})])
            response.with_head(headers={**headers, IGNORED_HEADER: names})
        return response

    async def _answered(self, request: Request, context: Context, served: Served) -> Response:
        if not isinstance(request, ChatRequest) or not request.hosted:
            return await served.responder.respond(request, context)
        if self._registry.hosting is None:
            raise Unsupported("nothing here runs tools for a request", remedy="Send functions", param="tools")
        return await self._registry.hosting.respond(request, context, served)

    def fingerprint(self, request: Request, context: Context) -> str | None:
        if isinstance(request, ChatRequest) and request.hosted:
            # Results of tools change.
            return None
        served = self._registry.fixed(request.model, context.principal, inner=self._inner)
        return served.responder.fingerprint(request, context) if served else None


def _unlimited(principal: Principal) -> Principal:
    return dataclasses.replace(principal, reach=dataclasses.replace(principal.reach, models=frozenset()))


def _check_kind(request: Request, served: Served) -> None:
    if isinstance(request, ChatRequest):
        fits = served.kind not in ("embedding", "reranker")
        does = "chat"
    elif isinstance(request, CompletionRequest):
        fits = served.kind == "chat" or served.completes
        does = "complete raw text"
    elif isinstance(request, RerankRequest):
        fits = served.kind == "reranker"
        does = "rerank"
    else:
        fits = served.kind == "embedding"
        does = "embed"
    if not fits:
        raise InvalidRequest(f"{served.name} is of kind {served.kind} and does not {does}", param="model")
