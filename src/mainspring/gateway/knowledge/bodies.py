"""Request bodies of vector stores and their files."""

# No postponed annotations here: FastAPI must see them.

from typing import Annotated, Any, Literal

from pydantic import Field, FiniteFloat, StrictBool, StrictInt

from mainspring.core.errors import InvalidRequest, Unsupported
from mainspring.core.types import Context
from mainspring.http.bodies import AtMost, Body, Metadata
from mainspring.http.fields import Hint
from mainspring.rag.attaching import Attachment
from mainspring.rag.ingest.recipe import chunking

MOST_FILES = 2_000
"""Files of a batch, as with OpenAI."""
Name = Annotated[str, Field(pattern=r"^[\p{L}\p{N}][^\x00-\x1f\x7f/\\]{0,127}$")]
# Strict, or true would become 1 and 1 "1".
Attribute = Annotated[str, Field(strict=True, max_length=512)] | StrictBool | StrictInt | FiniteFloat
Attributes = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=64)], Attribute], Field(max_length=16), AtMost(16)
]
Identifier = Annotated[str, Field(min_length=1, max_length=128)]
Group = Annotated[str, Field(max_length=128)]
Named = Annotated[str, Field(min_length=1, max_length=128)]
Groups = Annotated[tuple[Named, ...], Field(max_length=64, fail_fast=True)]


class StoreExpiry(Body):
    """``expires_after`` of a vector store: so many days after it was last searched, asked or changed."""

    anchor: Literal["last_active_at"]
    days: Annotated[int, Field(ge=1, le=365)]


class StaticSizes(Body):
    """Sizes of chunks in tokens of the embedding model."""

    max_chunk_size_tokens: Annotated[int, Field(ge=100, le=4096)]
    chunk_overlap_tokens: Annotated[int, Field(ge=0, le=2048)]


class AutoChunking(Body):
    """Chunks by the settings of the server."""

    type: Literal["auto"]


class StaticChunking(Body):
    """Chunks of a size of the file's own. No chunk is longer than the embedding model reads."""

    type: Literal["static"]
    static: StaticSizes


Chunking = Annotated[AutoChunking | StaticChunking, Field(discriminator="type")]


class StoreBody(Body):
    """``POST /v1/vector_stores``. ``groups`` is an extension: who may see it (empty: the whole tenant). So are
    ``embedding_model`` and ``embedding_dimension``, which OGX's clients send: they must be those of the server."""

    name: Name | None = None
    file_ids: Annotated[tuple[Identifier, ...], Field(max_length=500, fail_fast=True)] = ()
    groups: Annotated[tuple[Group, ...], Field(max_length=64, fail_fast=True)] = ()
    description: Annotated[str, Field(max_length=4096)] | None = None
    metadata: Metadata | None = None
    expires_after: StoreExpiry | None = None
    chunking_strategy: Chunking | None = None
    embedding_model: Named | None = None
    embedding_dimension: Annotated[int, Field(ge=1, le=100_000)] | None = None
    provider_id: Annotated[Any, Hint("this server is its only provider of vector stores")] = None

    def check_embedder(self, name: str, dimensions: int) -> None:
        """Other servers let the caller choose. Raises ``Unsupported`` naming what is not that of this one."""
        wanted = (
            ("embedding_model", self.embedding_model, name),
            ("embedding_dimension", self.embedding_dimension, dimensions),
        )
        for field, asked, own in wanted:
            if asked not in (None, own):
                problem = f"the {field} of all vector stores here is {own}"
                raise Unsupported(problem, remedy=f"Leave {field} out", param=field)


class StoreUpdateBody(Body):
    """``POST /v1/vector_stores/{id}``: fields that are absent stay. A null as ``expires_after`` takes the expiry away,
    any other null changes nothing."""

    name: Name | None = None
    metadata: Metadata | None = None
    expires_after: StoreExpiry | None = None


class StoreFileBody(Body):
    """``POST /v1/vector_stores/{id}/files``. ``groups`` is an extension: who of those that see the vector store may see
    the file (empty: all; absent or null: as it was, and all for a new one)."""

    file_id: Identifier
    attributes: Attributes | None = None
    groups: Groups | None = None
    chunking_strategy: Chunking | None = None

    def attachment(self, context: Context) -> Attachment:
        """Raises ``InvalidRequest`` naming the field at fault."""
        groups = visible_groups(self.groups, context, "the file")
        return Attachment(self.file_id, self.attributes, groups, own_chunking(self.chunking_strategy))


class StoreFileUpdateBody(Body):
    """``POST /v1/vector_stores/{id}/files/{file_id}``: the attributes, and as an extension the groups, that the file
    has from now on. Absent fields stay."""

    attributes: Attributes | None = None
    groups: Groups | None = None


class FileBatchBody(Body):
    """``POST /v1/vector_stores/{id}/file_batches``: either ``file_ids``, with attributes and sizes of chunks for all of
    them, or ``files``, each with its own."""

    file_ids: Annotated[tuple[Identifier, ...], Field(min_length=1, max_length=MOST_FILES, fail_fast=True)] | None = (
        None
    )
    files: Annotated[tuple[StoreFileBody, ...], Field(min_length=1, max_length=MOST_FILES, fail_fast=True)] | None = (
        None
    )
    attributes: Attributes | None = None
    chunking_strategy: Chunking | None = None

    def attachments(self, context: Context) -> list[Attachment]:
        """Raises ``InvalidRequest`` naming the field at fault."""
        if (self.file_ids is None) == (self.files is None):
            raise InvalidRequest("give either file_ids or files", param="file_ids")
        if self.files is None:
            own = own_chunking(self.chunking_strategy)
            return [Attachment(each, self.attributes, None, own) for each in self.file_ids or ()]
        for name in ("attributes", "chunking_strategy"):
            if getattr(self, name) is not None:
                raise InvalidRequest(
                    f"{name} cannot be combined with files", remedy="Set it in each entry of files", param=name
                )
        return [each.attachment(context) for each in self.files]


def own_chunking(wanted: AutoChunking | StaticChunking | None, param: str = "chunking_strategy") -> str | None:
    """The sizes of a file's own; empty: the settings'. None: as it was. Raises ``InvalidRequest``."""
    if wanted is None:
        return None
    if isinstance(wanted, AutoChunking):
        return ""
    sizes = wanted.static
    if sizes.chunk_overlap_tokens * 2 > sizes.max_chunk_size_tokens:
        raise InvalidRequest(
            "chunk_overlap_tokens may be half of max_chunk_size_tokens at most",
            param=f"{param}.static.chunk_overlap_tokens",
        )
    return chunking(sizes.max_chunk_size_tokens, sizes.chunk_overlap_tokens)


def visible_groups(wanted: tuple[str, ...] | None, context: Context, what: str) -> frozenset[str] | None:
    """An access list. Raises ``InvalidRequest`` for one that would hide ``what`` from its sender."""
    if wanted and not context.principal.groups.intersection(wanted):
        raise InvalidRequest(
            f"this key is in none of these groups and could not see {what}",
            remedy="Use a key of one of them: `mainspring keys create NAME --scope ingest --group GROUP`",
            param="groups",
        )
    return None if wanted is None else frozenset(wanted)


def expires_days(body: StoreBody | StoreUpdateBody) -> int | None:
    """Days; None: never."""
    return None if body.expires_after is None else body.expires_after.days
