"""The protocol's operations, behind the dispatchers of the SDK."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, TypeVar

from a2a.server.context import ServerCallContext
from a2a.server.events import Event
from a2a.server.request_handlers.request_handler import RequestHandler, validate_request_params
from a2a.types import (
    AgentCard,
    CancelTaskRequest,
    DeleteTaskPushNotificationConfigRequest,
    GetExtendedAgentCardRequest,
    GetTaskPushNotificationConfigRequest,
    GetTaskRequest,
    ListTaskPushNotificationConfigsRequest,
    ListTaskPushNotificationConfigsResponse,
    ListTasksRequest,
    ListTasksResponse,
    Message,
    SendMessageRequest,
    StreamResponse,
    SubscribeToTaskRequest,
    Task,
    TaskPushNotificationConfig,
    TaskState,
)
from a2a.utils.errors import (
    A2AError,
    ContentTypeNotSupportedError,
    InternalError,
    InvalidParamsError,
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)
from a2a.utils.task import (
    ListTasksCursor,
    apply_history_length,
    decode_list_tasks_cursor,
    encode_list_tasks_cursor,
    validate_history_length,
    validate_page_size,
)
from google.protobuf.json_format import MessageToDict, ParseDict

from mainspring.core.errors import InvalidRequest, MainspringError, NotFound, UnknownModel
from mainspring.core.types import Context
from mainspring.features.a2a import shapes
from mainspring.features.a2a.service import A2aAgents, OverAlready
from mainspring.features.a2a.shapes import Json
from mainspring.features.a2a.tasks.store import StoredTask, TaskFilter
from mainspring.features.a2a.wire import cards

T = TypeVar("T")
CONTEXT, AGENT, ROOT = "context", "agent", "root"
"""What the state of a call holds: our context, the agent that the address names, and the server's address."""
_PAGE = 50
_USER, _OPTIONS = "user", "options"


def told(method: Callable[..., Awaitable[T]]) -> Callable[..., Awaitable[T]]:
    """Raises errors of this server as those of the protocol."""

    @functools.wraps(method)
    async def wrapper(*args: Any) -> T:
        try:
            return await method(*args)
        except MainspringError as error:
            raise protocol_error(error) from error

    return wrapper


def protocol_error(error: MainspringError) -> A2AError:
    """The protocol's error for one of this server."""
    about = {"code": error.code} | ({"param": error.param} if error.param else {})
    kinds: tuple[tuple[type[MainspringError], type[A2AError]], ...] = (
        (OverAlready, UnsupportedOperationError),
        (UnknownModel, InvalidParamsError),
        (NotFound, TaskNotFoundError),
    )
    if isinstance(error, InvalidRequest) and error.param == "message.parts":
        return ContentTypeNotSupportedError(error.told, about)
    for ours, theirs in kinds:
        if isinstance(error, ours):
            return theirs(error.told, about)
    return (InvalidParamsError if error.status < 500 else InternalError)(error.told, about)


class Handler(RequestHandler):
    """The operations over the service; who asks, and which agent, stands in the state of each call."""

    def __init__(self, agents: A2aAgents) -> None:
        self._agents = agents

    @validate_request_params
    @told
    async def on_message_send(self, params: SendMessageRequest, context: ServerCallContext) -> Task | Message:
        found = await self._send(params, context)
        if params.configuration.return_immediately:
            return apply_history_length(_task(found.task), params.configuration)
        result = await self._agents.result(found, _context(context).deadline)
        if "message" in result:
            said: Message = ParseDict(result["message"], Message())
            return said
        return apply_history_length(_task(result["task"]), params.configuration)

    @validate_request_params
    async def on_message_send_stream(
        self, params: SendMessageRequest, context: ServerCallContext
    ) -> AsyncGenerator[Event, None]:
        try:
            found = await self._send(params, context)
        except MainspringError as error:
            raise protocol_error(error) from error
        async with aclosing(self._agents.follow(found, None)) as updates:
            async for update in updates:
                yield _event(update, params.configuration)

    @validate_request_params
    async def on_subscribe_to_task(
        self, params: SubscribeToTaskRequest, context: ServerCallContext
    ) -> AsyncGenerator[Event, None]:
        try:
            found = await self._find(params.id, context)
        except MainspringError as error:
            raise protocol_error(error) from error
        if found.state in shapes.TERMINAL:
            raise UnsupportedOperationError("the task is over: there is nothing to follow")
        async with aclosing(self._agents.follow(found, None)) as updates:
            async for update in updates:
                yield _event(update, None)

    @validate_request_params
    @told
    async def on_get_task(self, params: GetTaskRequest, context: ServerCallContext) -> Task | None:
        validate_history_length(params)
        found = await self._find(params.id, context)
        return apply_history_length(_task(found.task), params)

    @validate_request_params
    @told
    async def on_list_tasks(self, params: ListTasksRequest, context: ServerCallContext) -> ListTasksResponse:
        validate_history_length(params)
        size = params.page_size if params.HasField("page_size") else _PAGE
        validate_page_size(size)
        agent = str(context.state[AGENT])
        since = params.status_timestamp_after.ToDatetime().timestamp() if _has_since(params) else None
        state = TaskState.Name(params.status) if params.status else ""
        wanted = TaskFilter(agent, params.context_id, state, since, _after(params.page_token), size + 1)
        found, total = await self._agents.store.page(_context(context).principal, wanted)
        page = [_shown(each, params) for each in found[:size]]
        return ListTasksResponse(
            tasks=page, next_page_token=_cursor(found[:size], len(found) > size), page_size=size, total_size=total
        )

    @validate_request_params
    @told
    async def on_cancel_task(self, params: CancelTaskRequest, context: ServerCallContext) -> Task | None:
        self._check_tenant(context)
        try:
            found = await self._agents.cancel(_context(context).principal, str(context.state[AGENT]), params.id)
        except OverAlready as error:
            raise TaskNotCancelableError(error.told) from error
        return _task(found.task)

    @validate_request_params
    @told
    async def on_create_task_push_notification_config(
        self, params: TaskPushNotificationConfig, context: ServerCallContext
    ) -> TaskPushNotificationConfig:
        found = await self._find(params.task_id, context)
        return _webhook(await self._agents.webhooks.add(found.tenant, found.id, MessageToDict(params)))

    @validate_request_params
    @told
    async def on_get_task_push_notification_config(
        self, params: GetTaskPushNotificationConfigRequest, context: ServerCallContext
    ) -> TaskPushNotificationConfig:
        found = await self._find(params.task_id, context)
        return _webhook(await self._agents.webhooks.get(found.tenant, found.id, params.id))

    @validate_request_params
    @told
    async def on_list_task_push_notification_configs(
        self, params: ListTaskPushNotificationConfigsRequest, context: ServerCallContext
    ) -> ListTaskPushNotificationConfigsResponse:
        found = await self._find(params.task_id, context)
        kept = await self._agents.webhooks.all(found.tenant, found.id)
        return ListTaskPushNotificationConfigsResponse(configs=[_webhook(each) for each in kept])

    @validate_request_params
    @told
    async def on_delete_task_push_notification_config(
        self, params: DeleteTaskPushNotificationConfigRequest, context: ServerCallContext
    ) -> None:
        found = await self._find(params.task_id, context)
        await self._agents.webhooks.remove(found.tenant, found.id, params.id)

    @validate_request_params
    @told
    async def on_get_extended_agent_card(
        self,
        params: GetExtendedAgentCardRequest,  # noqa: ARG002
        context: ServerCallContext,
    ) -> AgentCard:
        return await extended_card(self._agents, _context(context), str(context.state[AGENT]), context.state[ROOT])

    async def _send(self, params: SendMessageRequest, context: ServerCallContext) -> StoredTask:
        self._check_tenant(context)
        validate_history_length(params.configuration)
        metadata = MessageToDict(params.metadata) | MessageToDict(params.message.metadata)
        options: Json = {
            "options": _options(metadata),
            "output_modes": list(params.configuration.accepted_output_modes),
        }
        options |= {"user": str(metadata[_USER])} if metadata.get(_USER) else {}
        message = MessageToDict(params.message)
        webhook = None
        if params.configuration.HasField("task_push_notification_config"):
            webhook = MessageToDict(params.configuration.task_push_notification_config)
        agent, ours = str(context.state[AGENT]), _context(context)
        return await self._agents.send(ours, agent, message, options, webhook)

    async def _find(self, task_id: str, context: ServerCallContext) -> StoredTask:
        self._check_tenant(context)
        return await self._agents.store.find(_context(context).principal, task_id, str(context.state[AGENT]))

    @staticmethod
    def _check_tenant(context: ServerCallContext) -> None:
        """A tenant that a request names must be the key's own: for it no other exists."""
        if context.tenant and context.tenant != _context(context).principal.tenant:
            raise NotFound("there is no such tenant for this key", param="tenant")


async def extended_card(agents: A2aAgents, context: Context, agent: str, root: str) -> AgentCard:
    """The card of ``agent`` (empty: of the server) with all that the caller may ask."""
    default, legacy = await agents.agent(agent, context.principal), agents.settings.legacy_cards
    visible = [each for each in await agents.visible(context.principal) if cards.is_agent(each)]
    if agent:
        served = await agents.registry.find(agent, context.principal)
        return cards.card(root, served, [served], default, legacy=legacy)
    return cards.card(root, None, visible, default, legacy=legacy)


def _context(context: ServerCallContext) -> Context:
    found: Context = context.state[CONTEXT]
    return found


def _options(metadata: Json) -> Json:
    found = metadata.get(_OPTIONS, {})
    if not isinstance(found, dict):
        raise InvalidRequest("metadata.options must be an object", param="metadata.options")
    return dict(shapes.with_integers(found))


def _task(task: Json) -> Task:
    parsed: Task = ParseDict(task, Task())
    return parsed


def _webhook(kept: Json) -> TaskPushNotificationConfig:
    parsed: TaskPushNotificationConfig = ParseDict(kept, TaskPushNotificationConfig())
    return parsed


def _event(update: Json, configuration: Any) -> Event:
    parsed = ParseDict(update, StreamResponse())
    found: Any = getattr(parsed, parsed.WhichOneof("payload"))
    return apply_history_length(found, configuration) if isinstance(found, Task) else found


def _shown(found: StoredTask, params: ListTasksRequest) -> Task:
    task = _task(found.task)
    if not params.include_artifacts:
        task.ClearField("artifacts")
    return apply_history_length(task, params)


def _has_since(params: ListTasksRequest) -> bool:
    return bool(params.HasField("status_timestamp_after"))


def _after(token: str) -> tuple[float, str] | None:
    if not token:
        return None
    cursor = decode_list_tasks_cursor(token)
    if cursor is None or cursor.timestamp_ns is None:
        raise InvalidParamsError("pageToken is not one of this list")
    # A double holds microseconds of this century exactly enough: the token carries its bits.
    return cursor.timestamp_ns / 1_000_000, cursor.task_id


def _cursor(page: list[StoredTask], more: bool) -> str:
    if not more or not page:
        return ""
    return encode_list_tasks_cursor(ListTasksCursor(round(page[-1].status_at * 1_000_000), page[-1].id))
