"""The bodies and forms of images: which fields they have, and what happens to each."""

# No postponed annotations here: FastAPI must see them.

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from fastapi import UploadFile
from pydantic import Field

from mainspring.core.errors import InvalidRequest
from mainspring.features.images.provider import Upload
from mainspring.http.bodies import Body, Free
from mainspring.http.fields import Hint, Refused

Word = Annotated[str, Field(max_length=64)]
_WHOLE = "images come whole, and not in pieces"
_NOBODY = "the provider is not told who asks"
_NO_AUTHOR = "a form carries no settings of an author of SVG"
MOST_FILES = 16
_NO_FIELD = {"model", "image", "images", "mask", "markup"}


class ImageBody(Body):
    """``POST /v1/images/generations``."""

    prompt: Annotated[str, Field(min_length=1, max_length=32_000)]
    model: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    background: Word | None = None
    complexity: Word | None = None
    frame_count: Annotated[int, Field(ge=1, le=1_000)] | None = None
    frame_duration_ms: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    moderation: Word | None = None
    n: Annotated[int, Field(ge=1, le=100)] | None = None
    output_compression: Annotated[int, Field(ge=0, le=100)] | None = None
    output_format: Word | None = None
    partial_images: Annotated[Any, Refused(_WHOLE, unless=(0,))] = None
    quality: Word | None = None
    response_format: Literal["url", "b64_json"] | None = None
    safety_identifier: Annotated[Any, Hint(_NOBODY)] = None
    size: Word | None = None
    stream: Annotated[Any, Refused(_WHOLE, unless=(False,))] = None
    style: Word | None = None
    svg: Free | None = None
    user: Annotated[Any, Hint(_NOBODY)] = None

    def fields(self) -> dict[str, Any]:
        """What the provider is sent."""
        return {
            name: value
            for name, value in self.model_dump(exclude=_NO_FIELD | {"safety_identifier", "user"}).items()
            if value is not None
        }


class VariationForm(Body):
    """``POST /v1/images/variations``."""

    image: UploadFile | None = None
    model: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    n: Annotated[int, Field(ge=1, le=100)] | None = None
    response_format: Literal["url", "b64_json"] | None = None
    size: Word | None = None
    user: Annotated[Any, Hint(_NOBODY)] = None

    def fields(self) -> dict[str, Any]:
        """What the provider is sent beside the files."""
        held = _NO_FIELD | {"safety_identifier", "user"}
        names = (each for each in type(self).model_fields if each not in held)
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    async def files(self) -> list[Upload]:
        """Raises ``InvalidRequest`` naming a field."""
        return await _read([("image", self.image)])


class EditForm(VariationForm):
    """``POST /v1/images/edits``. Several images are sent as fields ``image[]``."""

    prompt: Annotated[str, Field(min_length=1, max_length=32_000)]
    images: list[UploadFile] = Field(default_factory=list, max_length=MOST_FILES, fail_fast=True, alias="image[]")
    background: Word | None = None
    complexity: Word | None = None
    frame_count: Annotated[int, Field(ge=1, le=1_000)] | None = None
    frame_duration_ms: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    input_fidelity: Word | None = None
    markup: UploadFile | None = None
    mask: UploadFile | None = None
    output_compression: Annotated[int, Field(ge=0, le=100)] | None = None
    output_format: Word | None = None
    partial_images: Annotated[Any, Refused(_WHOLE, unless=("0",))] = None
    quality: Word | None = None
    safety_identifier: Annotated[Any, Hint(_NOBODY)] = None
    stream: Annotated[Any, Refused(_WHOLE, unless=("false",))] = None
    svg: Annotated[Any, Refused(_NO_AUTHOR)] = None
    svg_model: Annotated[Any, Refused(_NO_AUTHOR), Field(alias="svg[model]")] = None
    svg_effort: Annotated[Any, Refused(_NO_AUTHOR), Field(alias="svg[reasoning][effort]")] = None

    async def files(self) -> list[Upload]:
        """See ``VariationForm.files``."""
        given: list[tuple[str, UploadFile | None]] = [("image[]", each) for each in self.images]
        given = given or [("image", self.image)]
        for name, each in (("mask", self.mask), ("markup", self.markup)):
            given += [(name, each)] if each is not None else []
        return await _read(given)


async def _read(given: Iterable[tuple[str, UploadFile | None]]) -> list[Upload]:
    found = []
    for field, file in given:
        data = b"" if file is None else await file.read()
        if file is None or not data:
            raise InvalidRequest(f"{field} has no image", remedy="Send a file", param=field)
        found.append(Upload(field, file.filename or "image.png", data, file.content_type or "image/png"))
    return found
