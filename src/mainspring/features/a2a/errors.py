"""What A2A's routes answer where a request cannot be answered, for the API's description."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from mainspring.http.openai.encode import ErrorBody


class A2aErrorFacts(BaseModel):
    """The error, as ``google.rpc.Status`` writes it in JSON: ``code`` is the HTTP status."""

    code: int
    status: str
    message: str
    details: list[dict[str, Any]] = []


class A2aErrorBody(BaseModel):
    """The errors of A2A's HTTP+JSON binding (specification 1.0, section 11.6)."""

    error: A2aErrorFacts


ERRORS: dict[int | str, dict[str, Any]] = {
    # A key or a name that is not known is refused before the protocol begins, in the server's own form.
    "4XX": {"model": ErrorBody | A2aErrorBody, "description": "The request cannot be answered"},
    "5XX": {"model": ErrorBody | A2aErrorBody, "description": "The server failed"},
}
