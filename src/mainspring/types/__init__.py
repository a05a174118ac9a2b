"""The shared nouns: requests, events, responses, contexts and the Responder protocol.

Everything that answers (a model, an application, a router) is a ``Responder``; everything that wraps an answer
is a layer, which takes a Responder and is one. Rooms meet through the types of this package and nothing else.
"""

from __future__ import annotations

from mainspring.types.contexts import (
    Allowance,
    Arrival,
    Context,
    Principal,
    Priority,
    TraceParent,
)
from mainspring.types.events import (
    Citation,
    Claim,
    Contradiction,
    Event,
    Finish,
    FinishReason,
    Missing,
    Notice,
    Progress,
    Reasoning,
    Scores,
    Text,
    TokenLogprob,
    ToolCallDelta,
    Usage,
    Vectors,
)
from mainspring.types.records import (
    EventKind,
    EventRecord,
)
from mainspring.types.requests import (
    ChatRequest,
    CompletionRequest,
    EmbedRequest,
    Grammar,
    GrammarKind,
    Message,
    PromptUse,
    Request,
    RerankRequest,
    Role,
    Sampling,
    Tool,
    ToolCall,
)
from mainspring.types.responses import (
    Close,
    Ending,
    Events,
    Head,
    Responder,
    Response,
    Transform,
)

__all__ = [
    "Allowance",
    "Arrival",
    "ChatRequest",
    "Citation",
    "Claim",
    "Close",
    "CompletionRequest",
    "Context",
    "Contradiction",
    "EmbedRequest",
    "Ending",
    "Event",
    "EventKind",
    "EventRecord",
    "Events",
    "Finish",
    "FinishReason",
    "Grammar",
    "GrammarKind",
    "Head",
    "Message",
    "Missing",
    "Notice",
    "Principal",
    "Priority",
    "Progress",
    "PromptUse",
    "Reasoning",
    "Request",
    "RerankRequest",
    "Responder",
    "Response",
    "Role",
    "Sampling",
    "Scores",
    "Text",
    "TokenLogprob",
    "Tool",
    "ToolCall",
    "ToolCallDelta",
    "TraceParent",
    "Transform",
    "Usage",
    "Vectors",
]
