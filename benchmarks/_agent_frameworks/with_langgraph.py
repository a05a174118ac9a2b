"""LangGraph's graph of an agent: a model's node and the prebuilt node of tools."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from side import ANSWER, STEPS, add

VERSION = f"LangGraph {version('langgraph')}"


async def script(state: MessagesState) -> dict[str, Any]:
    messages = [SystemMessage("Add numbers."), *state["messages"]]
    done = sum(isinstance(each, ToolMessage) for each in messages)
    if done == STEPS:
        return {"messages": [AIMessage(ANSWER)]}
    call = {"name": "add", "args": {"first": done + 1, "second": 1}, "id": f"call_{done}", "type": "tool_call"}
    return {"messages": [AIMessage("", tool_calls=[call])]}


def graph() -> StateGraph:
    made = StateGraph(MessagesState)
    made.add_node("model", script)
    made.add_node("tools", ToolNode([add]))
    made.add_edge(START, "model")
    made.add_conditional_edges("model", tools_condition)
    made.add_edge("tools", "model")
    return made


ASKED = {"messages": [HumanMessage("Add.")]}


@asynccontextmanager
async def open(_: Path) -> AsyncIterator[Callable[[], Awaitable[str]]]:  # noqa: A001
    compiled = graph().compile()

    async def run() -> str:
        return str((await compiled.ainvoke(ASKED, {"recursion_limit": 100}))["messages"][-1].content)

    yield run
