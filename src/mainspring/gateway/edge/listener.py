"""The server's address, claimed before anything expensive starts. Imports nothing heavy."""

from __future__ import annotations

import errno
import socket

from mainspring.core.errors import MainspringError
from mainspring.core.settings import GatewaySettings

BACKLOG = 2048


class AddressInUse(MainspringError):
    """The configured address cannot be bound."""

    code = "address_in_use"


def bind(settings: GatewaySettings) -> socket.socket:
    """A socket on host and port that does not listen yet: until it does, connections are refused, not kept waiting.

    Raises ``AddressInUse`` if the address is taken.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise _refusal(settings, error) from None
    return listener


def listen(listener: socket.socket, settings: GatewaySettings) -> None:
    """Let clients in. Raises ``AddressInUse`` when another process was first to listen there."""
    try:
        listener.listen(BACKLOG)
    except OSError as error:
        raise _refusal(settings, error) from None


def _refusal(settings: GatewaySettings, error: OSError) -> AddressInUse:
    if error.errno == errno.EADDRINUSE:
        remedy = "Stop what uses it, or choose another with MAINSPRING_GATEWAY__PORT"
    elif error.errno == errno.EACCES:
        remedy = "Choose a port from 1024 on with MAINSPRING_GATEWAY__PORT"
    else:
        remedy = "Name an address of this machine with MAINSPRING_GATEWAY__HOST"
    return AddressInUse(f"{settings.host}:{settings.port} cannot be bound: {error.strerror}", remedy=remedy)
