"""Routes of measurements of judges, and of estimates by them."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from starlette.responses import Response as HttpResponse

from mainspring.core.types import Context
from mainspring.features.judges.bodies import EstimateBody, FitBody, MeasureBody, judge_body, measurement_body
from mainspring.features.judges.definitions.definition import NAME
from mainspring.features.judges.requests import JudgeRequests, LabelSource
from mainspring.features.judges.service import Judges
from mainspring.http.access import Access, check_lasting
from mainspring.http.respond import json_response

Name = Annotated[str, Path(pattern=NAME)]


def add(routes: APIRouter, service: Judges, requests: JudgeRequests, access: Access) -> None:
    """The routes, under the prefix of judges."""
    callers = Annotated[Context, Depends(access("judges"))]

    @routes.get("/measurements")
    async def list_measurements(
        context: callers,
        judge: Annotated[str, Query(max_length=64)] = "",
        limit: Annotated[int, Query(ge=1, le=100)] = 50,
    ) -> HttpResponse:
        """Measurements and estimates, the latest first."""
        found = await service.measurements.page(context.principal.tenant, judge, limit)
        return json_response({"object": "list", "data": [measurement_body(each) for each in found]})

    @routes.get("/measurements/{measurement_id}")
    async def get_measurement(measurement_id: str, context: callers) -> HttpResponse:
        """How far it is, and its figures once it has ended."""
        return json_response(measurement_body(await service.measurements.get(context.principal.tenant, measurement_id)))

    @routes.delete("/measurements/{measurement_id}")
    async def delete_measurement(measurement_id: str, context: callers) -> HttpResponse:
        """Stop it, and delete it with its items and figures."""
        await service.measurements.delete(context.principal.tenant, measurement_id)
        return json_response({"object": "judge.measurement", "id": measurement_id, "deleted": True})

    @routes.post("/{name}/measure")
    async def measure_judge(name: Name, body: MeasureBody, context: callers) -> HttpResponse:
        """Measure a judge on people's labels, in the background (202)."""
        check_lasting(context, "a measurement")
        source = LabelSource(body.dataset or "", body.version, body.queue, body.criterion, body.days)
        started = await requests.measure(name, body.labelled(), source, context, body.limit)
        return json_response(measurement_body(started), status=202)

    @routes.post("/{name}/fit")
    async def fit_judge(name: Name, body: FitBody, context: callers) -> HttpResponse:
        """Define a combined judge: a measured jury's members, with weights fitted to the labels it was measured on."""
        stored, fit = await requests.fit(name, body.into, context)
        told = {"n": fit.n, "left_out": fit.left_out, "mean_of_members": fit.mean}
        return json_response(judge_body(stored) | {"fit": told})

    @routes.post("/{name}/estimate")
    async def estimate_by_judge(name: Name, body: EstimateBody, context: callers) -> HttpResponse:
        """Estimate the mean label of an application's answers, from labels and the judge's scores (202)."""
        check_lasting(context, "an estimate")
        source = LabelSource(queue=body.queue, criterion=body.criterion, days=body.days)
        started = await requests.estimate(name, body.application, source, context, body.limit)
        return json_response(measurement_body(started), status=202)
