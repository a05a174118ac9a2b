"""The language server: completions as one types, code actions, and commands, over the server's own routes.

It speaks the Language Server Protocol on standard input and output (pygls), as any editor starts it. All models are the
server's; this process holds the open documents only.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from pathlib import Path
from typing import Any

from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer
from pygls.workspace import TextDocument

from mainspring.core.version import __version__
from mainspring.features.code.index import admission, folder
from mainspring.features.code.lsp.remote import Refused, RemoteCode
from mainspring.features.code.lsp.sync import sync, watch

ACTIONS = {
    "explain": "Explain",
    "fix": "Fix",
    "test": "Write tests",
    "document": "Document",
}
CHAT = "mainspring.chat"
_EDITS, _EDIT_LINES = 5, 12


class CodeServer(LanguageServer):
    """The server of one editor. ``remote`` answers; ``folder_name`` names the workspace (empty: the folder's name)."""

    def __init__(self, remote: RemoteCode, workspace_name: str = "", *, index: bool = True) -> None:
        super().__init__("mainspring-code", __version__)
        self.remote = remote
        self.workspace_id = ""
        self.root: Path | None = None
        self.edits: OrderedDict[str, str] = OrderedDict()
        self._workspace_name = workspace_name
        self._index = index
        self._watching: asyncio.Task[None] | None = None
        _register(self)

    async def begin(self, root: Path | None) -> None:
        """Index the editor's folder and follow it. Without a server the editor shows a message, and works without
        it."""
        self.root = root
        if root is None or not self._index:
            return
        try:
            self.workspace_id = await self.remote.workspace(self._workspace_name or root.name)
            done = await sync(self.remote, self.workspace_id, root)
        except Refused as error:
            self.say(lsp.MessageType.Error, f"mainspring: {error}")
            return
        self.say(
            lsp.MessageType.Log, f"mainspring: {done.files} files, {done.sent} indexed, {done.masked} secrets masked"
        )
        self._watching = asyncio.create_task(self._watch(root))

    async def _watch(self, root: Path) -> None:
        try:
            await watch(self.remote, self.workspace_id, root)
        except Exception as error:
            self.say(lsp.MessageType.Warning, f"mainspring: changes of files are not followed: {error}")

    async def end(self) -> None:
        """End what runs."""
        if self._watching is not None:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching
        await self.remote.close()

    def say(self, kind: lsp.MessageType, text: str) -> None:
        self.window_log_message(lsp.LogMessageParams(kind, text))

    def path_of(self, uri: str) -> str:
        """The path of a document within the workspace."""
        path = Path(self.workspace.get_text_document(uri).path)
        if self.root is not None and path.is_relative_to(self.root):
            return path.relative_to(self.root).as_posix()
        return path.name

    async def complete(self, uri: str, position: lsp.Position) -> str:
        """The completion at a place; empty if there is none."""
        document = self.workspace.get_text_document(uri)
        path = self.path_of(uri)
        if admission.refused_by_name(path):
            return ""
        others = [each for each in self.workspace.text_documents.values() if each.uri != uri][:8]
        body: dict[str, Any] = {
            "text": document.source,
            "cursor": _offset(document, position),
            "language": document.language_id or "",
            "path": path,
            "editor": f"lsp-{id(self)}",
            "open_files": [{"path": self.path_of(each.uri), "text": each.source[:200_000]} for each in others],
            "recent_edits": [
                {"path": name, "text": text} for name, text in reversed(self.edits.items()) if name != path
            ],
        }
        if self.workspace_id:
            body["workspace"] = self.workspace_id
        try:
            return str((await self.remote.call("POST", "/v1/code/complete", body))["completion"])
        except Refused as error:
            if error.status != 409:
                self.say(lsp.MessageType.Error, f"mainspring: {error}")
            return ""

    def edited(self, uri: str, change: lsp.TextDocumentContentChangeEvent) -> None:
        """Remember the lines around an edit."""
        if not isinstance(change, lsp.TextDocumentContentChangePartial):
            return
        document, path = self.workspace.get_text_document(uri), self.path_of(uri)
        first = max(change.range.start.line - _EDIT_LINES // 2, 0)
        self.edits[path] = "".join(document.lines[first : first + _EDIT_LINES])
        self.edits.move_to_end(path)
        while len(self.edits) > _EDITS:
            self.edits.popitem(last=False)

    async def act(self, action: str, uri: str, first: int, last: int, problems: list[str]) -> dict[str, Any]:
        """Do one of ``ACTIONS`` with lines (from 0). Raises ``Refused``."""
        document = self.workspace.get_text_document(uri)
        body: dict[str, Any] = {
            "action": action,
            "text": document.source,
            "first_line": first + 1,
            "last_line": last + 1,
            "language": document.language_id or "",
            "path": self.path_of(uri),
            "diagnostics": problems[:50],
        }
        if self.workspace_id:
            body["workspace"] = self.workspace_id
        found: dict[str, Any] = await self.remote.call("POST", "/v1/code/actions", body)
        return found

    async def saved(self, uri: str) -> None:
        """Index a document that was saved; the watcher may not be there."""
        path = self.path_of(uri)
        if self.workspace_id and self.root is not None and folder.wanted(path):
            if folder.IgnoreRules(self.root).ignored(path):
                return
            with contextlib.suppress(Refused):
                await self.remote.put(self.workspace_id, [(path, self.workspace.get_text_document(uri).source)])


def _register(server: CodeServer) -> None:
    _lifecycle(server)
    _completions(server)
    _code_actions(server)


def _lifecycle(server: CodeServer) -> None:
    @server.feature(lsp.INITIALIZED)
    async def initialized(_: lsp.InitializedParams) -> None:
        path = server.workspace.root_path
        await server.begin(Path(path) if path else None)

    @server.feature(lsp.SHUTDOWN)
    async def shutdown(_: Any) -> None:
        await server.end()

    @server.feature(lsp.TEXT_DOCUMENT_DID_CHANGE)
    def changed(params: lsp.DidChangeTextDocumentParams) -> None:
        for change in params.content_changes[-1:]:
            server.edited(params.text_document.uri, change)

    @server.feature(lsp.TEXT_DOCUMENT_DID_SAVE)
    async def saved(params: lsp.DidSaveTextDocumentParams) -> None:
        await server.saved(params.text_document.uri)


def _completions(server: CodeServer) -> None:
    @server.feature(lsp.TEXT_DOCUMENT_INLINE_COMPLETION)
    async def inline(params: lsp.InlineCompletionParams) -> lsp.InlineCompletionList:
        text = await server.complete(params.text_document.uri, params.position)
        at = lsp.Range(params.position, params.position)
        return lsp.InlineCompletionList([lsp.InlineCompletionItem(text, range=at)] if text else [])

    @server.feature(lsp.TEXT_DOCUMENT_COMPLETION)
    async def completion(params: lsp.CompletionParams) -> lsp.CompletionList:
        text = await server.complete(params.text_document.uri, params.position)
        if not text:
            return lsp.CompletionList(is_incomplete=True, items=[])
        document = server.workspace.get_text_document(params.text_document.uri)
        word = document.word_at_position(params.position)
        shown = text.strip().split("\n", 1)[0][:60]
        item = lsp.CompletionItem(
            label=shown or "completion",
            kind=lsp.CompletionItemKind.Snippet,
            detail="mainspring",
            documentation=lsp.MarkupContent(lsp.MarkupKind.Markdown, f"```{document.language_id or ''}\n{text}\n```"),
            filter_text=word or shown,
            sort_text="0",
            preselect=True,
            text_edit=lsp.TextEdit(lsp.Range(params.position, params.position), text),
        )
        return lsp.CompletionList(is_incomplete=True, items=[item])


def _code_actions(server: CodeServer) -> None:
    @server.feature(
        lsp.TEXT_DOCUMENT_CODE_ACTION, lsp.CodeActionOptions([lsp.CodeActionKind.QuickFix, lsp.CodeActionKind.Refactor])
    )
    def offered(params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
        problems = [each.message for each in params.context.diagnostics]
        lines = (params.range.start.line, params.range.end.line)
        return [
            lsp.CodeAction(
                f"mainspring: {title}",
                kind=lsp.CodeActionKind.QuickFix if action == "fix" else lsp.CodeActionKind.Refactor,
                command=lsp.Command(
                    title, command=f"mainspring.{action}", arguments=[params.text_document.uri, *lines, problems]
                ),
            )
            for action, title in ACTIONS.items()
        ]

    for each in ACTIONS:
        _command(server, each)

    @server.command(CHAT)
    async def chat(question: str) -> str:
        """Ask the agent ``code``; the answer is returned and shown."""
        body = {"model": "code", "messages": [{"role": "user", "content": question}]}
        try:
            said = await server.remote.call("POST", "/v1/chat/completions", body)
        except Refused as error:
            server.say(lsp.MessageType.Error, f"mainspring: {error}")
            return str(error)
        answer = str(said["choices"][0]["message"]["content"])
        server.window_show_message(lsp.ShowMessageParams(lsp.MessageType.Info, answer))
        return answer


def _command(server: CodeServer, action: str) -> None:
    @server.command(f"mainspring.{action}")
    async def run(uri: str, first: int, last: int, problems: list[str] | None = None) -> dict[str, Any]:
        try:
            done = await server.act(action, uri, first, last, problems or [])
        except Refused as error:
            server.window_show_message(lsp.ShowMessageParams(lsp.MessageType.Error, f"mainspring: {error}"))
            return {"error": str(error)}
        edit = _edit(server, uri, action, done)
        if edit is not None:
            await server.workspace_apply_edit_async(
                lsp.ApplyWorkspaceEditParams(edit, f"mainspring: {ACTIONS[action]}")
            )
        else:
            text = done["text"] if action == "explain" else "Nothing came that parses; the answer is in the log."
            server.say(lsp.MessageType.Log, str(done["text"]))
            server.window_show_message(lsp.ShowMessageParams(lsp.MessageType.Info, text))
        return done


def _edit(server: CodeServer, uri: str, action: str, done: dict[str, Any]) -> lsp.WorkspaceEdit | None:
    if not done["code"]:
        return None
    if action == "test":
        return _new_file(server, uri, done["code"])
    lines = done["replaces"]
    document = server.workspace.get_text_document(uri)
    last = lines["last_line"] - 1
    end = lsp.Position(last, document.position_codec.client_num_units(document.lines[last].rstrip("\r\n")))
    place = lsp.Range(lsp.Position(lines["first_line"] - 1, 0), end)
    return lsp.WorkspaceEdit(changes={uri: [lsp.TextEdit(place, done["code"])]})


def _new_file(server: CodeServer, uri: str, code: str) -> lsp.WorkspaceEdit:
    """A file of tests beside the document; one that exists is left alone."""
    path = Path(server.workspace.get_text_document(uri).path)
    python = path.suffix == ".py"
    stem = f"test_{path.stem}" if python else f"{path.stem}.test"
    target = path.with_name(stem + path.suffix)
    number = 1
    while target.exists():
        number += 1
        target = path.with_name(f"{stem}_{number}{path.suffix}")
    new = target.as_uri()
    made = lsp.CreateFile(uri=new, options=lsp.CreateFileOptions(ignore_if_exists=True))
    start = lsp.Range(lsp.Position(0, 0), lsp.Position(0, 0))
    text = lsp.TextDocumentEdit(
        lsp.OptionalVersionedTextDocumentIdentifier(uri=new), [lsp.TextEdit(start, code + "\n")]
    )
    return lsp.WorkspaceEdit(document_changes=[made, text])


def _offset(document: TextDocument, position: lsp.Position) -> int:
    """The characters before a place, in whatever units the client counts."""
    return document.offset_at_position(position)
