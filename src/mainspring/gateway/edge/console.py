"""The web console: the built files of ``console/``, served under ``/console`` with nothing from anywhere else.

The files need no key: they hold only the program, and every request that it sends carries its user's key.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cached_property
from importlib import resources

from fastapi import APIRouter
from fastapi import Request as HttpRequest
from starlette.responses import RedirectResponse
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import NotFound
from mainspring.http.late_route import LateRoute

PREFIX = "/console"
PAGE = "index.html"
# Names with a hash of their content, as the build writes them.
HASHED = "assets/"
SECURITY = {
    # Scripts and styles are files of ours, so that text which an answer or a document brings can run nothing, load
    # nothing and send nothing.
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; media-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
TYPES = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8", "html": "text/html; charset=utf-8"}
PACKED = frozenset(TYPES) | {"svg", "json", "webmanifest"}


@dataclass(frozen=True)
class BuiltFile:
    """A built file in its served form."""

    name: str
    data: bytes

    @cached_property
    def packed(self) -> bytes | None:
        """The data compressed; None if that gains nothing."""
        return gzip.compress(self.data, 9, mtime=0) if self._ending in PACKED else None

    @cached_property
    def headers(self) -> dict[str, str]:
        lasting = self.name.startswith(HASHED)
        kind = TYPES.get(self._ending) or mimetypes.guess_type(self.name)[0] or "application/octet-stream"
        return {
            **SECURITY,
            "content-type": kind,
            "etag": f'"{hashlib.sha256(self.data).hexdigest()[:32]}"',
            "cache-control": "public, max-age=31536000, immutable" if lasting else "no-cache",
            "vary": "accept-encoding",
        }

    @property
    def _ending(self) -> str:
        return self.name.rpartition(".")[2]


def built() -> dict[str, BuiltFile]:
    """The files of the build by their names below ``PREFIX``; empty if the package was made without them."""
    folder = resources.files("mainspring.gateway").joinpath("static")
    found: dict[str, BuiltFile] = {}
    for place, prefix in ((folder, ""), (folder.joinpath("assets"), HASHED)):
        for each in place.iterdir() if place.is_dir() else ():
            if each.is_file():
                found[prefix + each.name] = BuiltFile(prefix + each.name, each.read_bytes())
    return found


def router(files: dict[str, BuiltFile]) -> APIRouter:
    """The routes of the console over ``files``; they are no part of the API's description."""
    routes = APIRouter(route_class=LateRoute, include_in_schema=False)

    @routes.get("/")
    async def home() -> HttpResponse:
        return RedirectResponse(PREFIX, 307, {"cache-control": "no-cache"})

    @routes.get(PREFIX)
    @routes.get(PREFIX + "/{path:path}")
    async def console(http: HttpRequest, path: str = "") -> HttpResponse:
        # The console's own addresses have no dots in their last part; every one of them is the page.
        named = path if "." in path.rpartition("/")[2] else PAGE
        file = files.get(named)
        if file is None:
            raise NotFound(f"there is no {PREFIX}/{path}", remedy="`make console` builds the console")
        return answer(file, http)

    return routes


def answer(file: BuiltFile, http: HttpRequest) -> HttpResponse:
    """``file`` as ``http`` requires: no body if the client has it, compressed if the client supports that."""
    headers = dict(file.headers)
    if http.headers.get("if-none-match") == headers["etag"]:
        return HttpResponse(status_code=304, headers=headers)
    if file.packed is not None and "gzip" in http.headers.get("accept-encoding", ""):
        return HttpResponse(file.packed, headers={**headers, "content-encoding": "gzip"})
    return HttpResponse(file.data, headers=headers)
