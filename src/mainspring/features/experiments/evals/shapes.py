"""Evals, runs and output items as OpenAI has them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mainspring.features.experiments.evals.graders import ends
from mainspring.features.experiments.evals.runs import passed
from mainspring.features.experiments.spec import Spec
from mainspring.stores.sql import rows

_STATUS = {"running": "in_progress", "cancelled": "canceled"}
_NO_ERROR = {"code": "", "message": ""}


def eval_body(row: Any) -> dict[str, Any]:
    """OpenAI's ``eval``."""
    config = rows.load(row.config)
    item = config.get("item_schema") or {"type": "object"}
    properties: dict[str, Any] = {"item": item}
    if config["type"] != "custom" or config.get("include_sample_schema"):
        properties["sample"] = {"type": "object"}
    schema = {"type": "object", "properties": properties, "required": ["item"]}
    told: dict[str, Any] = {"type": config["type"], "schema": schema}
    if config["type"] != "custom":
        told["metadata"] = config.get("metadata") or {}
    return {
        "id": row.id,
        "object": "eval",
        "name": row.name,
        "created_at": int(row.created_at),
        "data_source_config": told,
        "testing_criteria": rows.load(row.criteria),
        "metadata": rows.load(row.metadata),
    }


def run_body(row: Any, summary: Mapping[str, Any]) -> dict[str, Any]:
    """OpenAI's ``eval.run``."""
    spec, told = Spec.of(rows.load(row.spec)), rows.load(row.metadata)
    model = spec.candidates[0].model if spec.candidates else ""
    return {
        "id": row.id,
        "object": "eval.run",
        "eval_id": row.parent,
        "name": row.name,
        "status": _STATUS.get(row.state, row.state),
        "model": model,
        "created_at": int(row.created_at),
        "data_source": json.loads(told["data_source"]),
        "metadata": json.loads(told["metadata"]),
        "error": _NO_ERROR if not row.error else {"code": "failed", "message": row.error},
        "report_url": f"/console/#/experiments/{row.id}",
        **summary,
    }


def _sampling(drawn: Any) -> dict[str, float]:
    """OpenAI's clients type each as a number; 0 stands for what was not asked for."""
    return {
        "temperature": 1.0 if drawn is None or drawn.temperature is None else drawn.temperature,
        "top_p": 1.0 if drawn is None or drawn.top_p is None else drawn.top_p,
        "max_completion_tokens": 0 if drawn is None else drawn.max_tokens or 0,
        "seed": 0 if drawn is None else drawn.seed or 0,
    }


def item_body(row: Any, of: Any, example: Mapping[str, Any] | None) -> dict[str, Any]:
    """OpenAI's ``eval.run.output_item``."""
    spec, body, scores = Spec.of(rows.load(of.spec)), rows.load(row.body), rows.load(row.scores)
    reasons, good = rows.load(row.reasons), passed(spec, scores)
    drawn = spec.candidates[0].sampling if spec.candidates else None
    messages = (example or {}).get("messages") or []
    results = []
    for each in spec.scorers:
        value = scores.get(each.label) or 0.0
        if each.name == "score-model":
            low, high = ends(each.options)
            value = low + value * (high - low)
        told = {"name": each.label, "type": each.name.replace("-", "_"), "passed": good[each.label], "score": value}
        results.append({**told, "sample": {"reason": reasons[each.label]} if each.label in reasons else None})
    return {
        "id": f"outputitem_{row.experiment}_{row.place}",
        "object": "eval.run.output_item",
        "created_at": int(row.at),
        "run_id": of.id,
        "eval_id": of.parent,
        "status": "error" if row.error else "pass" if all(good.values()) else "fail",
        "datasource_item": ((example or {}).get("extra") or {}).get("item") or {},
        "datasource_item_id": row.place,
        "results": results,
        "sample": {
            "input": [{"role": each["role"], "content": each["content"]} for each in messages] if drawn else [],
            "output": [{"role": "assistant", "content": body.get("text", "")}],
            "finish_reason": "error" if row.error else "stop",
            "model": body.get("model", ""),
            "usage": {
                "total_tokens": body.get("prompt_tokens", 0) + body.get("completion_tokens", 0),
                "completion_tokens": body.get("completion_tokens", 0),
                "prompt_tokens": body.get("prompt_tokens", 0),
                "cached_tokens": 0,
            },
            "error": {"code": row.error.partition(":")[0], "message": row.error} if row.error else _NO_ERROR,
            **_sampling(drawn),
        },
    }
