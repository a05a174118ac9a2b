"""The language server, driven by a real client over standard input and output, in front of a real HTTP server."""

from __future__ import annotations

import ast
import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from lsprotocol import types as lsp
from pygls.lsp.client import LanguageClient

from tests.conftest import Server

FILE = "def mean(values):\n    return sum(values) / len(value)\n"


class Stub:
    """The routes of code, with answers that stand fixed. ``seen`` are the bodies by route."""

    def __init__(self) -> None:
        self.seen: dict[str, list[Any]] = {}
        self.completion = "return 1"
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        body: Any = await request.json() if request.can_read_body else None
        route = request.path.removeprefix("/v1/code/")
        self.seen.setdefault(route, []).append(body)
        said: dict[str, Any] = {}
        if route == "workspaces":
            said = {"id": "cws_1"}
        elif route.endswith("/sync"):
            said = {"wanted": list(body["files"])}
        elif route.endswith("/files"):
            said = {"data": [{"path": each["path"], "status": "indexed"} for each in body["files"]]}
        elif route == "complete":
            said = {"completion": self.completion}
        elif route == "actions":
            fixed = FILE.replace("value)", "values)").rstrip()
            code = fixed if body["action"] == "fix" else "" if body["action"] == "explain" else "def test_mean(): ..."
            lines = {"first_line": 1, "last_line": 2}
            said = {"text": "It is the mean.", "code": code, "replaces": lines if body["action"] == "fix" else None}
        elif route == "/v1/chat/completions":
            said = {"choices": [{"message": {"content": "In stats.py."}}]}
        return web.json_response(said)


@asynccontextmanager
async def stubbed() -> AsyncIterator[Stub]:
    stub = Stub()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", stub.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    stub.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield stub
    await runner.cleanup()


class Editor(LanguageClient):
    """An editor: what it was told and asked to change."""

    def __init__(self) -> None:
        super().__init__("editor", "1")
        self.logged: list[lsp.LogMessageParams] = []
        self.shown: list[str] = []
        self.edits: list[lsp.WorkspaceEdit] = []
        self.feature(lsp.WINDOW_LOG_MESSAGE)(lambda params: self.logged.append(params))
        self.feature(lsp.WINDOW_SHOW_MESSAGE)(lambda params: self.shown.append(params.message))

        def apply(params: lsp.ApplyWorkspaceEditParams) -> lsp.ApplyWorkspaceEditResult:
            self.edits.append(params.edit)
            return lsp.ApplyWorkspaceEditResult(applied=True)

        self.feature(lsp.WORKSPACE_APPLY_EDIT)(apply)

    def errors(self) -> list[str]:
        return [each.message for each in self.logged if each.type == lsp.MessageType.Error]

    async def until(self, done: Callable[[], object]) -> None:
        async with asyncio.timeout(60):
            while not done():
                await asyncio.sleep(0.02)


@asynccontextmanager
async def editing(folder: Path, url: str, key: str, home: Path) -> AsyncIterator[tuple[Editor, str]]:
    """An editor with ``stats.py`` open, and its address."""
    (folder / "stats.py").write_text(FILE)
    (folder / ".env").write_text("KEY=1")
    editor = Editor()
    environment = {**os.environ, "MAINSPRING_URL": url, "MAINSPRING_API_KEY": key, "MAINSPRING_HOME": str(home)}
    await editor.start_io(sys.executable, "-m", "mainspring", "code", "lsp", env=environment)
    await editor.initialize_async(
        lsp.InitializeParams(lsp.ClientCapabilities(), process_id=os.getpid(), root_uri=folder.as_uri())
    )
    editor.initialized(lsp.InitializedParams())
    uri = (folder / "stats.py").as_uri()
    item = lsp.TextDocumentItem(uri, "python", 1, FILE)
    editor.text_document_did_open(lsp.DidOpenTextDocumentParams(item))
    await editor.until(lambda: any("indexed" in each.message for each in editor.logged) or editor.errors())
    yield editor, uri
    await editor.shutdown_async(None)
    editor.exit(None)
    await editor.stop()  # type: ignore[no-untyped-call]


@pytest.mark.slow
async def test_an_editor(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    async with stubbed() as stub, editing(folder, stub.url, "ms-key", tmp_path / "home") as (editor, uri):
        assert editor.errors() == []
        assert stub.seen["workspaces"] == [{"name": "shop"}]
        assert [each["path"] for each in stub.seen["workspaces/cws_1/files"][0]["files"]] == ["stats.py"]
        document = lsp.TextDocumentIdentifier(uri)

        # Typing, with a letter of two UTF-16 units before the cursor.
        place = lsp.Range(lsp.Position(1, 0), lsp.Position(1, 0))
        change = lsp.TextDocumentContentChangePartial(place, "    x = '\U0001f600'; ")
        versioned = lsp.VersionedTextDocumentIdentifier(2, uri)
        editor.text_document_did_change(lsp.DidChangeTextDocumentParams(versioned, [change]))
        at = lsp.Position(1, 14)
        context = lsp.InlineCompletionContext(lsp.InlineCompletionTriggerKind.Automatic)
        inline = await editor.text_document_inline_completion_async(lsp.InlineCompletionParams(context, document, at))
        assert isinstance(inline, lsp.InlineCompletionList)
        assert [each.insert_text for each in inline.items] == ["return 1"]
        asked = stub.seen["complete"][0]
        assert asked["text"][: asked["cursor"]].endswith("x = '\U0001f600'; ")
        assert (asked["path"], asked["language"], asked["workspace"]) == ("stats.py", "python", "cws_1")

        listed = await editor.text_document_completion_async(lsp.CompletionParams(document, at))
        assert isinstance(listed, lsp.CompletionList)
        assert listed.items[0].text_edit is not None
        assert listed.items[0].text_edit.new_text == "return 1"

        await _actions(editor, document, uri, stub, folder)


async def _actions(editor: Editor, document: lsp.TextDocumentIdentifier, uri: str, stub: Stub, folder: Path) -> None:
    lines = lsp.Range(lsp.Position(0, 0), lsp.Position(1, 3))
    problem = lsp.Diagnostic(lines, "undefined name 'value'")
    wanted = lsp.CodeActionParams(document, lines, lsp.CodeActionContext([problem]))
    actions = await editor.text_document_code_action_async(wanted)
    assert actions is not None
    # The client's library takes an action that has a command for a command, whose name it makes of its text.
    by_title = {each.title: ast.literal_eval(str(each.command)) for each in actions}
    assert set(by_title) == {f"mainspring: {each}" for each in ("Explain", "Fix", "Write tests", "Document")}

    async def run(title: str) -> Any:
        command = by_title[f"mainspring: {title}"]
        params = lsp.ExecuteCommandParams(command["command"], command["arguments"])
        return await editor.workspace_execute_command_async(params)

    await run("Fix")
    assert stub.seen["actions"][0]["diagnostics"] == ["undefined name 'value'"]
    changes = editor.edits[0].changes
    assert changes is not None
    (edit,) = changes[uri]
    assert edit.new_text == FILE.replace("value)", "values)").rstrip()
    assert (edit.range.start.line, edit.range.end.line) == (0, 1)
    await run("Write tests")
    made = editor.edits[1].document_changes
    assert made is not None
    assert isinstance(made[0], lsp.CreateFile)
    assert made[0].uri == (folder / "test_stats.py").as_uri()
    await run("Explain")
    await editor.until(lambda: "It is the mean." in editor.shown)
    chat = await editor.workspace_execute_command_async(lsp.ExecuteCommandParams("mainspring.chat", ["Where is mean?"]))
    assert chat == "In stats.py."


@pytest.mark.slow
async def test_in_front_of_a_real_server(tmp_path: Path, server: Server) -> None:
    folder = tmp_path / "from_an_editor"
    folder.mkdir()
    async with editing(folder, server.url, server.key, tmp_path / "home") as (editor, uri):
        assert editor.errors() == []
        asked = {"query": "mean", "kind": "symbol"}
        status, found = server.call("POST", "/v1/code/workspaces/from_an_editor/search", asked)
        assert (status, [each["path"] for each in found["data"]]) == (200, ["stats.py"])
        context = lsp.InlineCompletionContext(lsp.InlineCompletionTriggerKind.Automatic)
        params = lsp.InlineCompletionParams(context, lsp.TextDocumentIdentifier(uri), lsp.Position(1, 11))
        said = await editor.text_document_inline_completion_async(params)
        assert isinstance(said, lsp.InlineCompletionList)
        assert editor.errors() == []
        # A file that is saved on the disk is found, one that is deleted is not.
        (folder / "shop.py").write_text("def price(): ...\n")
        await editor.until(lambda: _paths(server, "price") == ["shop.py"])
        (folder / "shop.py").unlink()
        await editor.until(lambda: _paths(server, "price") == [])


def _paths(server: Server, name: str) -> list[str]:
    body = {"query": name, "kind": "symbol"}
    found = server.call("POST", "/v1/code/workspaces/from_an_editor/search", body)[1]
    return [each["path"] for each in found["data"]]
