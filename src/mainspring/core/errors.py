"""The error tree: every failure that mainspring raises on purpose, drawn here once.

    MainspringError                      status  code
    ├── SettingsError                       500  settings_invalid
    ├── InvalidRequest                      400  invalid_request
    │   ├── Unsupported                     400  unsupported_parameter
    │   ├── InvalidSchema                   400  invalid_schema
    │   ├── PromptTooLong                   400  context_length_exceeded
    │   ├── GuardRefused                    400  content_refused
    │   ├── NoRegion                        400  region_unavailable
    │   └── SessionSpent                    400  session_budget_exceeded
    ├── TooLarge                            413  request_too_large
    ├── HeadersTooLarge                     431  headers_too_large
    ├── TooSlow                             408  request_timeout
    ├── Unauthenticated                     401  invalid_api_key
    │   └── InvalidToken                    401  invalid_token
    ├── Forbidden                           403  insufficient_scope
    │   └── NoConsent                       403  no_consent
    ├── QuotaExceeded                       403  quota_exceeded
    ├── NotFound                            404  not_found
    │   ├── PreviousResponseNotFound        400  previous_response_not_found
    │   └── UnknownModel                    404  model_not_found
    ├── MethodNotAllowed                    405  method_not_allowed
    ├── Conflict                            409  conflict
    │   └── Outdated                        412  precondition_failed
    ├── UnreadableDocument                  422  unreadable_document
    ├── NothingLearned                      422  nothing_learned
    ├── RateLimited                         429  rate_limit_exceeded
    │   └── BudgetExceeded                  429  budget_exceeded
    ├── Overloaded                          503  overloaded
    ├── Unavailable                         503  identity_unavailable
    ├── DeadlineExceeded                    504  deadline_exceeded
    ├── EngineError                         502  engine_error
    │   ├── EngineDied                      503  engine_died
    │   ├── UnfitAnswer                     502  answer_unfit
    │   └── UpstreamError                   502  upstream_error
    ├── ModelError                          500  model_invalid
    │   ├── ModelNotPulled                  503  model_not_pulled
    │   ├── ChecksumMismatch                500  checksum_mismatch
    │   └── ConversionRejected              500  conversion_rejected
    ├── MissingExtra                        501  missing_extra
    └── StoreError                          500  store_error
        └── StorageFull                     507  insufficient_storage

Each error has a message that names the fault and, in ``remedy``, the next step. ``param`` names the request field at
fault. ``status`` and ``code`` are what the HTTP gateway answers with; codes are stable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

# The folders of a path in a sentence; the paths of our own routes stay whole.
_FOLDERS = re.compile(
    r"(?<![\w.:/])/(?!v1/|console\b|healthz?\b|readyz|metrics)(?:[^\s/'\"()\[\],;]+/)+([^\s/'\"()\[\],;]*)"
)
# Errors repeat the input, whose length the sender chooses.
MAX_MESSAGE = 4_000
MAX_PARAM = 256


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}..."


class MainspringError(Exception):
    """Base of every deliberate failure. ``str(error)`` is one sentence, remedy included."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"

    def __init__(
        self,
        message: str,
        *,
        remedy: str = "",
        param: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        message, remedy = _cut(message, MAX_MESSAGE), _cut(remedy, MAX_MESSAGE)
        self.message = message
        self.remedy = remedy
        self.param = None if param is None else _cut(param, MAX_PARAM)
        self.retry_after = retry_after
        super().__init__(f"{message.rstrip('.')}. {remedy}" if remedy else message)

    @property
    def told(self) -> str:
        """``str(error)`` in the form for clients: without the server's folders if the fault is the server's."""
        said = str(self)
        return said if self.status < 500 else _FOLDERS.sub(r"\1", said)

    def __reduce__(self) -> tuple[object, ...]:
        # Jobs and tests copy errors between processes; keyword arguments would be lost.
        return (_rebuild, (type(self), self.message, self.remedy, self.param, self.retry_after))


def _rebuild(
    kind: type[MainspringError],
    message: str,
    remedy: str,
    param: str | None,
    retry_after: float | None,
) -> MainspringError:
    return kind(message, remedy=remedy, param=param, retry_after=retry_after)


class SettingsError(MainspringError):
    """A configuration file or environment variable is wrong; the message names the key."""

    code = "settings_invalid"


class InvalidRequest(MainspringError):
    """The caller's input is wrong; ``param`` names the field."""

    status = 400
    code = "invalid_request"


class Unsupported(InvalidRequest):
    """A valid parameter that the chosen engine or model cannot honour; never silently ignored."""

    code = "unsupported_parameter"


class InvalidSchema(InvalidRequest):
    """A JSON schema or regular expression for structured output is malformed or too costly."""

    code = "invalid_schema"


class PromptTooLong(InvalidRequest):
    """The prompt of ``tokens`` does not fit the model's context ``window`` (None: not counted)."""

    code = "context_length_exceeded"

    def __init__(
        self,
        message: str,
        *,
        remedy: str = "",
        param: str | None = None,
        retry_after: float | None = None,
        tokens: int | None = None,
        window: int | None = None,
    ) -> None:
        super().__init__(message, remedy=remedy, param=param, retry_after=retry_after)
        self.tokens = tokens
        self.window = window

    @property
    def told(self) -> str:
        """Ends with the code: clients look for it in the text of their exception, which is the message alone."""
        said = super().told
        return said if self.code in said else f"{said.rstrip('.')} ({self.code})"

    @classmethod
    def counted(cls, tokens: int, window: int, *, param: str = "messages") -> PromptTooLong:
        """In the wording by which clients recognise that they must shorten a conversation."""
        asked = f"you requested {tokens} tokens in the {param}"
        problem = f"This model's maximum context length is {window} tokens. However, {asked}"
        return cls(problem, remedy="Shorten the prompt", param=param, tokens=tokens, window=window)


class GuardRefused(InvalidRequest):
    """A guard's policy refuses this content. ``kinds`` are the kinds of its findings; empty: a limit was exceeded."""

    code = "content_refused"
    kinds: tuple[str, ...] = ()


class NoRegion(InvalidRequest):
    """No model that could answer is in a region that the request, its key and its tenant accept."""

    code = "region_unavailable"


class SessionSpent(InvalidRequest):
    """The session has used all its tokens; waiting does not help."""

    code = "session_budget_exceeded"


class TooLarge(MainspringError):
    """A body, a file or a field exceeds its bound."""

    status = 413
    code = "request_too_large"


class HeadersTooLarge(MainspringError):
    """The headers of a request are too many or too long."""

    status = 431
    code = "headers_too_large"


class TooSlow(MainspringError):
    """The client did not send its request in time."""

    status = 408
    code = "request_timeout"


class Unauthenticated(MainspringError):
    """The API key is absent, unknown, revoked or expired."""

    status = 401
    code = "invalid_api_key"


class InvalidToken(Unauthenticated):
    """A bearer token that is expired, was issued for another audience, or has an invalid signature."""

    code = "invalid_token"


class Forbidden(MainspringError):
    """The API key is valid and lacks the scope."""

    status = 403
    code = "insufficient_scope"


class NoConsent(Forbidden):
    """The person has not agreed that facts are remembered."""

    code = "no_consent"


class NotFound(MainspringError):
    """No such object for this tenant."""

    status = 404
    code = "not_found"


class PreviousResponseNotFound(NotFound):
    """The response that a request continues is unknown or not stored. A 400, as at OpenAI."""

    status = 400
    code = "previous_response_not_found"


class UnknownModel(NotFound):
    """No model, application or collection of that name is served."""

    code = "model_not_found"


class MethodNotAllowed(MainspringError):
    """The path has routes, and none of them takes this method."""

    status = 405
    code = "method_not_allowed"


class Conflict(MainspringError):
    """The object already exists, or somebody changed it in the meantime."""

    status = 409
    code = "conflict"


class Outdated(Conflict):
    """The caller saw an earlier state than the current one."""

    status = 412
    code = "precondition_failed"


class UnreadableDocument(MainspringError):
    """A document is encrypted, damaged, empty or of a kind that no parser reads."""

    status = 422
    code = "unreadable_document"


class QuotaExceeded(MainspringError):
    """A tenant has reached a quota; waiting does not help."""

    status = 403
    code = "quota_exceeded"


class NothingLearned(MainspringError):
    """The data are too few to learn from."""

    status = 422
    code = "nothing_learned"


class RateLimited(MainspringError):
    """A request or token limit is used up; ``retry_after`` is in seconds, ``headers`` contain the limits."""

    status = 429
    code = "rate_limit_exceeded"
    headers: Mapping[str, str] = MappingProxyType({})


class BudgetExceeded(RateLimited):
    """A hard budget is smaller than the possible cost of the request; ``retry_after`` is the end of its window."""

    code = "budget_exceeded"


class Overloaded(MainspringError):
    """The admission queue is full; ``retry_after`` is in seconds."""

    status = 503
    code = "overloaded"


class Unavailable(MainspringError):
    """The identity provider is unreachable, and without its keys no token can be checked."""

    status = 503
    code = "identity_unavailable"


class DeadlineExceeded(MainspringError):
    """The request's deadline passed before it was answered."""

    status = 504
    code = "deadline_exceeded"


class EngineError(MainspringError):
    """An inference engine failed this request."""

    status = 502
    code = "engine_error"


class UnfitAnswer(EngineError):
    """A model without grammars gave no answer that fits the schema, in as many rounds as were allowed."""

    code = "answer_unfit"


class EngineDied(EngineError):
    """The engine process ended while the request ran; a new one is being started."""

    status = 503
    code = "engine_died"


class UpstreamError(EngineError):
    """A remote endpoint refused, failed or sent something unreadable."""

    code = "upstream_error"


class ModelError(MainspringError):
    """A model file or catalogue entry cannot be used."""

    code = "model_invalid"


class ModelNotPulled(ModelError):
    """The model is in the catalogue, but its weights are not on this machine."""

    status = 503
    code = "model_not_pulled"


class ChecksumMismatch(ModelError):
    """A downloaded file's sha256 is not the catalogue's; the file was refused."""

    code = "checksum_mismatch"


class ConversionRejected(ModelError):
    """A converted model's perplexity is off its reference; the conversion was refused."""

    code = "conversion_rejected"


class MissingExtra(MainspringError):
    """An optional dependency is not installed; the remedy names the extra."""

    status = 501
    code = "missing_extra"


class StoreError(MainspringError):
    """A store is damaged, locked or of a newer schema."""

    code = "store_error"


class StorageFull(StoreError):
    """The disk has no room for the data."""

    status = 507
    code = "insufficient_storage"
