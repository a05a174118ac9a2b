"""Answers for paths and methods without a route: they name the existing ones."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from fastapi import FastAPI
from fastapi import Request as HttpRequest
from starlette.routing import BaseRoute, Match

from mainspring.core.nearest import MAX_NAME

_NAMED = 3
_ALIKE = 0.75


def allowed(http: HttpRequest) -> list[str]:
    """The methods of all routes with the request's path, and those that every path takes."""
    taken: set[str] = set()
    for route in _routes(http):
        if route.matches(http.scope)[0] is not Match.NONE:
            taken |= getattr(route, "methods", None) or set()
    if "GET" in taken:
        taken.add("HEAD")
    return sorted(taken | {"OPTIONS"})


def near_paths(http: HttpRequest) -> list[str]:
    """Up to three paths of routes that are like the request's; none for a long one."""
    path = http.url.path.rstrip("/")
    if len(path) > MAX_NAME:
        return []
    parts = path.split("/")
    own = {_filled(each, parts): each for each in map(_path, _routes(http)) if each}
    return [own[each] for each in difflib.get_close_matches(path, own, n=_NAMED, cutoff=_ALIKE)]


def _routes(http: HttpRequest) -> Iterator[BaseRoute]:
    app: FastAPI = http.scope["app"]
    return iter(app.router.routes)


def _path(route: BaseRoute) -> str:
    return str(getattr(route, "path", ""))


def _filled(path: str, parts: list[str]) -> str:
    """The path of a route with the words of a request's path in the place of identifiers."""
    own = path.split("/")
    if len(own) != len(parts):
        return path
    return "/".join(said if named.startswith("{") else named for named, said in zip(own, parts, strict=True))
