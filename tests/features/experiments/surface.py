"""The routes and commands of the feature ``experiments``."""

from tests.surfaces import ASKS, Surface

SURFACE = Surface(
    scopes={
        "GET /v1/scorers": "experiments",
        "POST /v1/experiments": "experiments",
        "GET /v1/experiments": "experiments",
        "GET /v1/experiments/{experiment_id}": "experiments",
        "GET /v1/experiments/{experiment_id}/report": "experiments",
        "GET /v1/experiments/{experiment_id}/results": "experiments",
        "POST /v1/experiments/{experiment_id}/cancel": "experiments",
        "DELETE /v1/experiments/{experiment_id}": "experiments",
        "POST /v1/evals": "experiments",
        "GET /v1/evals": "experiments",
        "GET /v1/evals/{eval_id}": "experiments",
        "POST /v1/evals/{eval_id}": "experiments",
        "DELETE /v1/evals/{eval_id}": "experiments",
        "POST /v1/evals/{eval_id}/runs": "experiments",
        "GET /v1/evals/{eval_id}/runs": "experiments",
        "GET /v1/evals/{eval_id}/runs/{run_id}": "experiments",
        "POST /v1/evals/{eval_id}/runs/{run_id}": "experiments",
        "POST /v1/evals/{eval_id}/runs/{run_id}/cancel": "experiments",
        "DELETE /v1/evals/{eval_id}/runs/{run_id}": "experiments",
        "GET /v1/evals/{eval_id}/runs/{run_id}/output_items": "experiments",
        "GET /v1/evals/{eval_id}/runs/{run_id}/output_items/{item_id}": "experiments",
    },
    changes={
        "POST /v1/experiments": ASKS,
        "POST /v1/experiments/{experiment_id}/cancel": "",
        "DELETE /v1/experiments/{experiment_id}": "",
        "POST /v1/evals": "bounded by experiments.kept",
        "POST /v1/evals/{eval_id}": "",
        "DELETE /v1/evals/{eval_id}": "",
        "POST /v1/evals/{eval_id}/runs": ASKS,
        "POST /v1/evals/{eval_id}/runs/{run_id}": "",
        "POST /v1/evals/{eval_id}/runs/{run_id}/cancel": "",
        "DELETE /v1/evals/{eval_id}/runs/{run_id}": "",
    },
    remote=(
        "experiments run --dataset d --responder a",
        "experiments list",
        "experiments show e",
        "experiments cancel e",
        "experiments delete e",
        "experiments scorers",
    ),
)
