"""The paths of Azure OpenAI's clients, as OpenAI's.

Azure's clients ask under ``/openai``: either at ``/openai/v1/...``, or with the date of their interface in
``api-version``. There the routes that take a model are ``/openai/deployments/{model}/...``, and the deployment counts,
whatever model the body names.
"""

from __future__ import annotations

from starlette.types import Scope

from mainspring.http.request_body import DEPLOYMENT

PREFIX = "/openai/"
_DEPLOYMENTS = "deployments/"
# The longest first: a deployment may have slashes in its name.
OF_DEPLOYMENTS = (
    *("/audio/transcriptions", "/audio/translations", "/images/generations", "/chat/completions", "/images/edits"),
    *("/audio/speech", "/completions", "/embeddings", "/responses"),
)


def as_openai(scope: Scope) -> Scope:
    """The scope of a request with OpenAI's path; the same scope if its path is no path of Azure's clients."""
    path: str = scope["path"]
    if not path.startswith(PREFIX):
        return scope
    rest = path.removeprefix(PREFIX).removeprefix("v1/")
    if rest.startswith(_DEPLOYMENTS):
        suffix = next((each for each in OF_DEPLOYMENTS if rest.endswith(each)), "")
        model = rest.removeprefix(_DEPLOYMENTS).removesuffix(suffix)
        if suffix and model:
            scope.setdefault("state", {})[DEPLOYMENT] = model
            rest = suffix.removeprefix("/")
    moved = f"/v1/{rest}"
    return {**scope, "path": moved, "raw_path": moved.encode("utf-8", "surrogateescape")}
