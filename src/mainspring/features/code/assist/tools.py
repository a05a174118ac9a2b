"""Tools over a workspace: an agent finds its way in code that it does not see whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mainspring.agents.tools.base import BaseTool, ToolContext, ToolPolicy, ToolResult
from mainspring.agents.tools.functions import FunctionTool
from mainspring.core.errors import InvalidRequest, MainspringError, NotFound
from mainspring.core.types import Context
from mainspring.features.code.index import search
from mainspring.features.code.index.catalogue import Catalogue, terms
from mainspring.features.code.index.workspaces import Workspaces

WORKSPACE = "workspace"
"""The key of a session's state that names the workspace; without it, it is the one that was changed last."""
_POLICY = ToolPolicy(scopes=frozenset({"chat"}))
_MOST = 20


class WorkspaceTools:
    """Symbols, lines, pieces and files of the caller's workspace. They only read. ``workspace`` is a fixed one's name
    (empty: the session's)."""

    name = "workspace"

    def __init__(self, workspaces: Workspaces, workspace: str = "") -> None:
        self._workspaces = workspaces
        self._workspace = workspace

    async def tools(self, context: Context) -> Sequence[BaseTool]:  # noqa: ARG002
        return (
            FunctionTool(
                self.find_symbol,
                policy=_POLICY,
                examples=("Where is the class Shop defined?", "Find the function parse_args.", "What does total do?"),
            ),
            FunctionTool(
                self.search_code,
                policy=_POLICY,
                examples=("How are prices rounded?", "Where do we retry failed requests?"),
            ),
            FunctionTool(
                self.grep,
                policy=_POLICY,
                examples=("Which lines mention TODO?", "Where is parse_args called?"),
            ),
            FunctionTool(
                self.read_file,
                policy=_POLICY,
                examples=("Show me shop.py.", "Read lines 10 to 40 of src/app.ts."),
            ),
            FunctionTool(self.list_files, policy=_POLICY, examples=("Which files are there?", "List the tests.")),
        )

    async def find_symbol(self, name: str, context: ToolContext) -> ToolResult:
        """Find where a function, class, method or constant is defined, and show its code.

        Args:
            name: the name, or a part of it; Class.method for a method
        """

        def work(catalogue: Catalogue) -> Any:
            return [
                {
                    "name": each.symbol.path,
                    "path": each.path,
                    "lines": [each.symbol.first + 1, each.symbol.last + 1],
                    "code": catalogue.files[each.path].part(
                        each.symbol.first, min(each.symbol.last, each.symbol.first + 60)
                    ),
                }
                for each in search.symbols(catalogue, name, 5)
            ]

        return await self._over(context, work, f"nothing is defined under a name like {name!r}")

    async def search_code(self, query: str, context: ToolContext) -> ToolResult:
        """Find pieces of code by words, for example what a feature is about.

        Args:
            query: words that the code is likely to use
        """

        def work(catalogue: Catalogue) -> Any:
            return [
                {
                    "path": piece.path,
                    "lines": [piece.first + 1, piece.last + 1],
                    "code": catalogue.files[piece.path].part(piece.first, piece.last),
                }
                for _, piece in catalogue.search(terms(query), 5)
            ]

        return await self._over(context, work, "no code has these words")

    async def grep(self, pattern: str, context: ToolContext, path: str = "") -> ToolResult:
        """Find lines by a regular expression.

        Args:
            pattern: an expression in RE2's syntax
            path: only files whose path fits, with * for any characters
        """

        def work(catalogue: Catalogue) -> Any:
            found = search.grep(catalogue, pattern, _MOST, path)
            return [{"path": each.path, "line": each.number, "text": each.text.strip()} for each in found]

        return await self._over(context, work, "no line fits")

    async def read_file(
        self, path: str, context: ToolContext, first_line: int = 1, last_line: int | None = None
    ) -> ToolResult:
        """Read a file, or some of its lines (400 at most).

        Args:
            path: the path within the workspace
            first_line: counted from 1
            last_line: the last one
        """
        return await self._over(context, lambda catalogue: search.read(catalogue, path, first_line, last_line), "empty")

    async def list_files(self, context: ToolContext, pattern: str = "*") -> ToolResult:
        """List files by their paths.

        Args:
            pattern: with * for any characters
        """
        return await self._over(context, lambda catalogue: search.paths(catalogue, pattern, 200), "no file fits")

    async def aclose(self) -> None:
        """Nothing is held."""

    async def _over(self, context: ToolContext, work: Callable[[Catalogue], Any], nothing: str) -> ToolResult:
        try:
            named = self._workspace or str(context.state.get(WORKSPACE, "")) or await self._latest(context.context)
            found = work(await self._workspaces.catalogue(context.context.principal, named))
        except (InvalidRequest, NotFound) as error:
            return ToolResult(error=told(error))
        return ToolResult(found) if found else ToolResult([], error=nothing)

    async def _latest(self, context: Context) -> str:
        there = [each for each in await self._workspaces.list(context.principal) if each.files]
        if not there:
            raise NotFound(
                "this key has no workspace with files",
                remedy="Index one with `mainspring code index FOLDER`, or from an editor",
            )
        return max(there, key=lambda each: each.updated_at).id


def told(error: MainspringError) -> str:
    """An error in words for a model."""
    return str(error)
