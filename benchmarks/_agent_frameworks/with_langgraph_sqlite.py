"""The same graph with LangGraph's saver for SQLite; a checkpoint is kept before the next step begins."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from with_langgraph import ASKED, graph
from with_langgraph import VERSION as GRAPH

VERSION = f"{GRAPH} with checkpoint-sqlite {version('langgraph-checkpoint-sqlite')}"


@asynccontextmanager
async def open(folder: Path) -> AsyncIterator[Callable[[], Awaitable[str]]]:  # noqa: A001
    async with AsyncSqliteSaver.from_conn_string(str(folder / "checkpoints.db")) as saver:
        compiled = graph().compile(checkpointer=saver)

        async def run() -> str:
            config = {"configurable": {"thread_id": uuid.uuid4().hex}, "recursion_limit": 100}
            found = await compiled.ainvoke(ASKED, config, durability="sync")
            return str(found["messages"][-1].content)

        yield run
