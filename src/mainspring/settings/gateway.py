"""Settings of the HTTP server."""

from __future__ import annotations

from pydantic import Field

from mainspring.settings.section import Section


class GatewaySettings(Section):
    """The HTTP server. Sizes in bytes, times in seconds."""

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    max_body_bytes: int = Field(8 * 2**20, gt=0)
    max_upload_bytes: int = Field(64 * 2**20, gt=0)
    max_messages: int = Field(512, gt=0)
    max_embedding_inputs: int = Field(2048, gt=0)
    request_timeout_s: float = Field(300.0, gt=0)
    read_timeout_s: float = Field(
        30.0, gt=0, description="for the headers of a request, and for its body beyond a second per 4 KiB"
    )
    shutdown_grace_s: float = Field(30.0, ge=0)
    heartbeat_s: float = Field(15.0, ge=0, description="silence in a stream until a comment line is sent; 0: never")
