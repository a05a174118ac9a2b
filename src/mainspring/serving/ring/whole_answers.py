"""The parameters of requests whose answer no model samples: a translation, a judgement, the sentences of documents. A
parameter that would change the answer is refused; one that only steers sampling is named in a header."""

from __future__ import annotations

from mainspring.core.errors import Unsupported
from mainspring.core.types import IGNORED_HEADER, ChatRequest, Response, Sampling

_DRAWING = (
    *("max_tokens", "temperature", "top_p", "top_k", "min_p", "seed", "logit_bias", "ignore_eos"),
    *("repetition_penalty", "presence_penalty", "frequency_penalty"),
)
_UNSET = Sampling()


def refuse_drawing(request: ChatRequest, name: str) -> None:
    """Raises ``Unsupported`` naming what ``name`` cannot honour. Tools that need not be called are left alone."""
    sampling = request.sampling
    asked = (
        ("n", sampling.n > 1, "has one answer"),
        ("logprobs", sampling.logprobs is not None, "has no logprobs"),
        ("stop", bool(sampling.stop), "answers as a whole and stops at nothing"),
        ("response_format", sampling.grammar is not None, "writes in a form of its own"),
        ("tool_choice", bool(request.tools) and request.tool_choice not in ("auto", "none"), "calls no tools"),
        ("messages", any(each.images for each in request.messages), "reads text"),
    )
    for param, given, why in asked:
        if given:
            raise Unsupported(f"{name} {why}", remedy="Leave it out" if param != "messages" else "", param=param)


def with_unread(request: ChatRequest, response: Response) -> Response:
    """``response`` with a header that names what was accepted and not read."""
    found = [name for name in _DRAWING if getattr(request.sampling, name) != getattr(_UNSET, name)]
    found += ["tools"] if request.tools and request.tool_choice != "none" else []
    if not found:
        return response
    told = response.head.headers.get(IGNORED_HEADER)
    return response.with_head(
        headers={**response.head.headers, IGNORED_HEADER: ", ".join([*([told] if told else []), *found])}
    )
