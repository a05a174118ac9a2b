"""The routes and commands of the feature ``train``."""

from tests.surfaces import Surface

_TRAINING, _OPENAI = "/v1/training", "/v1/fine_tuning/jobs"
SURFACE = Surface(
    scopes={
        **{
            f"GET {_TRAINING}{path}": "train"
            for path in (
                "/recipes",
                "/recipes/{recipe}",
                "/jobs",
                "/jobs/{job_id}",
                "/jobs/{job_id}/metrics",
                "/jobs/{job_id}/samples",
                "/jobs/{job_id}/log",
                "/jobs/{job_id}/events",
                "/versions",
                "/versions/{version}",
                "/versions/{version}/card",
                "/versions/{version}/lineage",
                "/made-of/{source}",
            )
        },
        f"POST {_TRAINING}/jobs": "train",
        f"POST {_TRAINING}/jobs/{{job_id}}/cancel": "train",
        f"POST {_TRAINING}/jobs/{{job_id}}/pause": "train",
        f"POST {_TRAINING}/jobs/{{job_id}}/resume": "train",
        f"DELETE {_TRAINING}/jobs/{{job_id}}": "train",
        f"POST {_TRAINING}/versions/{{version}}/serve": "train",
        f"POST {_TRAINING}/versions/{{version}}/withdraw": "train",
        f"DELETE {_TRAINING}/versions/{{version}}": "train",
        f"POST {_OPENAI}": "train",
        f"GET {_OPENAI}": "train",
        f"GET {_OPENAI}/{{job_id}}": "train",
        f"POST {_OPENAI}/{{job_id}}/cancel": "train",
        f"POST {_OPENAI}/{{job_id}}/pause": "train",
        f"POST {_OPENAI}/{{job_id}}/resume": "train",
        f"GET {_OPENAI}/{{job_id}}/events": "train",
        f"GET {_OPENAI}/{{job_id}}/checkpoints": "train",
    },
    changes={
        f"POST {_TRAINING}/jobs": "bounded by train.per_tenant, train.kept, train.rows and train.bytes",
        f"POST {_TRAINING}/jobs/{{job_id}}/cancel": "",
        f"POST {_TRAINING}/jobs/{{job_id}}/pause": "",
        f"POST {_TRAINING}/jobs/{{job_id}}/resume": "bounded by train.per_tenant",
        f"DELETE {_TRAINING}/jobs/{{job_id}}": "",
        f"POST {_TRAINING}/versions/{{version}}/serve": "a model more, which its tenant alone can ask",
        f"POST {_TRAINING}/versions/{{version}}/withdraw": "",
        f"DELETE {_TRAINING}/versions/{{version}}": "",
        f"POST {_OPENAI}": "bounded by train.per_tenant, train.kept, train.rows and train.bytes",
        f"POST {_OPENAI}/{{job_id}}/cancel": "",
        f"POST {_OPENAI}/{{job_id}}/pause": "",
        f"POST {_OPENAI}/{{job_id}}/resume": "bounded by train.per_tenant",
    },
    answering=("train recipes",),
    remote=(
        "train jobs",
        "train show ftjob-1",
        "train show a",
        "train cancel ftjob-1",
        "train pause ftjob-1",
        "train resume ftjob-1",
        "train versions",
        "train serve a@1",
        "train withdraw a@1",
    ),
    elsewhere=("train run",),
)
