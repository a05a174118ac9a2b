"""Request bodies of workspaces."""

# No postponed annotations here: FastAPI must see them.

from typing import Annotated

from pydantic import Field

from mainspring.http.bodies import AtMost, Body

FilePath = Annotated[str, Field(min_length=1, max_length=1_024, pattern=r"^[^/\x00][^\x00]*$")]
Sha = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Named = Annotated[str, Field(min_length=1, max_length=256)]


class WorkspaceBody(Body):
    """``POST /v1/code/workspaces``."""

    name: Named
    shared: Annotated[bool, Field(description="share with all keys of the tenant in the same groups")] = False


class FileBody(Body):
    """A file of a workspace."""

    path: Annotated[FilePath, Field(description="path within the workspace, with slashes")]
    text: Annotated[str, Field(max_length=4_000_000)]


class FilesBody(Body):
    """``POST /v1/code/workspaces/{id}/files``."""

    files: Annotated[list[FileBody], Field(min_length=1, max_length=1_000, fail_fast=True)]


class SyncBody(Body):
    """``POST /v1/code/workspaces/{id}/sync``."""

    files: Annotated[
        dict[FilePath, Sha], Field(max_length=100_000, description="SHA-256 of each file's bytes"), AtMost(100_000)
    ]


class CodeSearchBody(Body):
    """``POST /v1/code/workspaces/{id}/search``."""

    query: Annotated[str, Field(min_length=1, max_length=2_000)]
    kind: Annotated[
        str,
        Field(
            pattern="^(symbol|words|regex|path)$",
            description="symbol: definitions by name; words: pieces of code; regex: lines (RE2); path: files",
        ),
    ] = "words"
    path: Annotated[str, Field(max_length=1_024, description="only files that match this pattern, for regex")] = ""
    limit: Annotated[int, Field(ge=1, le=100)] = 20
