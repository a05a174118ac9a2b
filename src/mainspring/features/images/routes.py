"""``/v1/images``, in OpenAI's shape."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated

from fastapi import APIRouter, Depends, Form
from fastapi import Request as HttpRequest
from starlette.responses import Response as HttpResponse

from mainspring.core.types import Context
from mainspring.features.images.forms import EditForm, ImageBody, VariationForm
from mainspring.features.images.provider import ImageOrder
from mainspring.features.images.service import Images
from mainspring.http.access import Access
from mainspring.http.request_body import DEPLOYMENT, JsonRoute
from mainspring.http.respond import while_connected
from mainspring.serving.admit.rate_limits import Charge

FORM = "multipart/form-data"


def router(images: Images, access: Access, charge: Charge) -> APIRouter:
    """The routes over the providers' models; each request counts to the key's limits, and has its price."""
    routes = APIRouter(route_class=JsonRoute, tags=["images"], prefix="/v1/images")
    chats = Annotated[Context, Depends(access("chat"))]

    async def drawn(http: HttpRequest, model: str | None, wanted: ImageOrder, context: Context) -> HttpResponse:
        # Azure's clients name the model in the path.
        name = http.scope.get("state", {}).get(DEPLOYMENT, model)
        body = await while_connected(http, images.draw(name, wanted, context))
        return HttpResponse(body, media_type="application/json", headers=charge.headers(context.principal))

    @routes.post("/generations")
    async def generate(http: HttpRequest, body: ImageBody, context: chats) -> HttpResponse:
        return await drawn(http, body.model, ImageOrder("generations", body.fields()), context)

    @routes.post("/edits")
    async def edit(http: HttpRequest, form: Annotated[EditForm, Form(media_type=FORM)], context: chats) -> HttpResponse:
        return await drawn(http, form.model, ImageOrder("edits", form.fields(), await form.files()), context)

    @routes.post("/variations")
    async def vary(
        http: HttpRequest, form: Annotated[VariationForm, Form(media_type=FORM)], context: chats
    ) -> HttpResponse:
        return await drawn(http, form.model, ImageOrder("variations", form.fields(), await form.files()), context)

    return routes
