"""Records in the forms of the systems that they are of, with the fields that their schemas name."""

from __future__ import annotations

import json
from typing import Any

LANGFUSE_TRACE: dict[str, Any] = {
    "id": "0f0c5a1d2b3e4f5061728394a5b6c7d8",
    "timestamp": "2025-11-03T09:15:00.250Z",
    "name": "support-chat",
    "input": {"messages": [{"role": "user", "content": "Where is my parcel?"}]},
    "output": {"role": "assistant", "content": "It arrives on Monday."},
    "sessionId": "session-7",
    "release": "1.4",
    "version": None,
    "userId": "user-42",
    "metadata": {"channel": "web"},
    "tags": ["prod"],
    "public": False,
    "environment": "production",
    "htmlPath": "/project/p/traces/0f0c",
    "latency": 1.5,
    "totalCost": 0.00042,
    "observations": [
        {
            "id": "obs-1",
            "traceId": "0f0c5a1d2b3e4f5061728394a5b6c7d8",
            "type": "GENERATION",
            "name": "answer",
            "startTime": "2025-11-03T09:15:00.400Z",
            "endTime": "2025-11-03T09:15:01.700Z",
            "completionStartTime": "2025-11-03T09:15:00.900Z",
            "model": "gpt-4o-mini",
            "modelParameters": {"temperature": 0.2},
            "input": [{"role": "system", "content": "Help."}, {"role": "user", "content": "Where is my parcel?"}],
            "output": {"role": "assistant", "content": "It arrives on Monday."},
            "usageDetails": {"input": 21, "output": 7, "total": 28, "input_cached_tokens": 4},
            "costDetails": {"input": 0.0003, "output": 0.00012, "total": 0.00042},
            "level": "DEFAULT",
            "statusMessage": None,
            "parentObservationId": "span-1",
            "environment": "production",
        },
        {
            "id": "span-1",
            "traceId": "0f0c5a1d2b3e4f5061728394a5b6c7d8",
            "type": "SPAN",
            "startTime": "2025-11-03T09:15:00.300Z",
            "level": "DEFAULT",
        },
    ],
    "scores": [
        {
            "id": "score-1",
            "traceId": "0f0c5a1d2b3e4f5061728394a5b6c7d8",
            "name": "user-feedback",
            "value": 1,
            "dataType": "NUMERIC",
            "source": "API",
            "timestamp": "2025-11-03T09:16:00Z",
            "comment": "thanks",
            "authorUserId": None,
            "configId": None,
        },
        {
            "id": "score-2",
            "traceId": "0f0c5a1d2b3e4f5061728394a5b6c7d8",
            "name": "correctness",
            "value": 0.75,
            "dataType": "NUMERIC",
            "source": "ANNOTATION",
            "timestamp": "2025-11-04T10:00:00Z",
            "authorUserId": "annotator-1",
            "comment": None,
        },
        {
            "id": "score-3",
            "traceId": "0f0c5a1d2b3e4f5061728394a5b6c7d8",
            "name": "helpfulness",
            "value": 4.0,
            "dataType": "NUMERIC",
            "source": "EVAL",
            "timestamp": "2025-11-04T10:00:00Z",
        },
    ],
}

LANGFUSE_FLAT: list[dict[str, Any]] = [
    {
        "id": "score-9",
        "trace_id": "trace-nine",
        "name": "thumbs",
        "value": 0,
        "data_type": "BOOLEAN",
        "source": "API",
        "timestamp": "2025-11-05T08:01:00Z",
    },
    {
        "id": "obs-9",
        "trace_id": "trace-nine",
        "type": "GENERATION",
        "start_time": "2025-11-05 08:00:00.000",
        "end_time": "2025-11-05 08:00:02.000",
        "parent_observation_id": None,
        "user_id": "user-9",
        "session_id": "s9",
        "provided_model_name": "claude-haiku",
        "input": json.dumps([{"role": "user", "content": [{"type": "text", "text": "Is it open?"}]}]),
        "output": json.dumps([{"type": "text", "text": "No."}]),
        "usage_details": {"input": 5, "output": 2},
        "cost_details": {"total": 0.0001},
    },
    {
        "id": "span-9",
        "trace_id": "trace-nine",
        "type": "SPAN",
        "start_time": "2025-11-05 08:00:00.000",
        "parent_observation_id": "obs-9",
    },
]

OPENAI_STORED: dict[str, Any] = {
    "object": "chat.completion",
    "id": "chatcmpl-AyPNinnUqUDYo9SAdA52NobMflmj2",
    "model": "gpt-4o-2024-08-06",
    "created": 1738960610,
    "request_id": "req_ded8ab984ec4bf840f37566c1011c417",
    "tool_choice": None,
    "usage": {"total_tokens": 31, "completion_tokens": 18, "prompt_tokens": 13},
    "seed": 4944116822809979520,
    "top_p": 1.0,
    "temperature": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "system_fingerprint": "fp_50cad350e4",
    "input_user": None,
    "service_tier": "default",
    "tools": None,
    "metadata": {"user_id": "u-1", "session_id": "s-1"},
    "choices": [
        {
            "index": 0,
            "message": {
                "content": "Mind of circuits hum,",
                "role": "assistant",
                "tool_calls": None,
                "function_call": None,
            },
            "finish_reason": "stop",
            "logprobs": None,
        }
    ],
    "response_format": None,
    "messages": [
        {"id": "chatcmpl-AyPN-0", "role": "user", "content": "write a haiku about ai", "name": None},
    ],
}
OPENAI_CHAT: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": "You are a clock."},
        {"role": "user", "content": "What time is it?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "now", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "six"},
        {"role": "assistant", "content": "It is six."},
    ]
}
OPENAI_PAIR: dict[str, Any] = {
    "custom_id": "r-1",
    "created_at": 1738960700,
    "request": {"body": {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi?"}]}},
    "response": {
        "status_code": 200,
        "body": {
            "id": "chatcmpl-2",
            "model": "gpt-4o",
            "created": 1738960700,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 2, "completion_tokens": 1},
        },
    },
}

LANGSMITH: list[dict[str, Any]] = [
    {
        "id": "a36092d2-4ad5-4fb4-9c0d-0dba9a2ed836",
        "trace_id": "a36092d2-4ad5-4fb4-9c0d-0dba9a2ed836",
        "name": "qa-chain",
        "run_type": "chain",
        "start_time": "2025-10-01T12:00:00.000000",
        "end_time": "2025-10-01T12:00:03.000000",
        "inputs": {"question": "Who wrote it?"},
        "outputs": {"output": "Ada wrote it."},
        "error": None,
        "parent_run_id": None,
        "dotted_order": "20251001T120000000000Za36092d2",
        "extra": {"metadata": {"user_id": "person-1", "thread_id": "thread-1"}},
        "total_cost": "0.00031",
        "prompt_tokens": 30,
        "completion_tokens": 5,
        "total_tokens": 35,
        "tags": [],
    },
    {
        "id": "0f3b8c1e-9be1-4f6a-8c7a-2f6c4f1d0a11",
        "trace_id": "a36092d2-4ad5-4fb4-9c0d-0dba9a2ed836",
        "name": "ChatOpenAI",
        "run_type": "llm",
        "start_time": "2025-10-01T12:00:01.000000",
        "end_time": "2025-10-01T12:00:02.500000",
        "first_token_time": "2025-10-01T12:00:01.400000",
        "parent_run_id": "a36092d2-4ad5-4fb4-9c0d-0dba9a2ed836",
        "inputs": {
            "messages": [
                [
                    {
                        "lc": 1,
                        "type": "constructor",
                        "id": ["langchain", "schema", "messages", "HumanMessage"],
                        "kwargs": {"content": "Who wrote it?", "type": "human"},
                    }
                ]
            ]
        },
        "outputs": {
            "generations": [
                [
                    {
                        "text": "Ada wrote it.",
                        "message": {
                            "lc": 1,
                            "type": "constructor",
                            "id": ["langchain", "schema", "messages", "AIMessage"],
                            "kwargs": {"content": "Ada wrote it.", "type": "ai"},
                        },
                    }
                ]
            ]
        },
        "extra": {"metadata": {"ls_provider": "openai", "ls_model_name": "gpt-4o-mini"}},
        "prompt_tokens": 30,
        "completion_tokens": 5,
        "total_cost": "0.00031",
    },
    {
        "id": "1b6a3f7e-5d8a-4c42-9b7d-7d0f4d5c2b22",
        "created_at": "2025-10-01T12:05:00+00:00",
        "run_id": "a36092d2-4ad5-4fb4-9c0d-0dba9a2ed836",
        "trace_id": "a36092d2-4ad5-4fb4-9c0d-0dba9a2ed836",
        "key": "user_feedback",
        "score": 0,
        "value": None,
        "comment": None,
        "correction": {"output": "Ada Lovelace wrote it."},
        "feedback_source": {"type": "app", "metadata": None, "user_name": "Lin"},
    },
]

TENSORZERO: list[dict[str, Any]] = [
    {
        "id": "0196c9a0-0000-7000-8000-000000000001",
        "function_name": "write_haiku",
        "variant_name": "gpt_4o_mini",
        "episode_id": "0196c9a0-0000-7000-8000-0000000000e1",
        "input": json.dumps(
            {
                "system": "You write haikus.",
                "messages": [{"role": "user", "content": [{"type": "text", "text": "About rain."}]}],
            }
        ),
        "output": json.dumps([{"type": "text", "text": "Rain upon the roof"}]),
        "tool_params": "",
        "inference_params": json.dumps({"chat_completion": {"temperature": 0.5}}),
        "processing_time_ms": 830,
        "timestamp": "2025-05-13 10:20:30",
        "tags": {"user_id": "tz-user"},
        "ttft_ms": 210,
    },
    {
        "id": "0196c9a0-0000-7000-8000-0000000000c1",
        "inference_id": "0196c9a0-0000-7000-8000-000000000001",
        "raw_request": "{}",
        "raw_response": "{}",
        "model_name": "openai::gpt-4o-mini",
        "model_provider_name": "openai",
        "input_tokens": 19,
        "output_tokens": 6,
        "response_time_ms": 800,
        "ttft_ms": 200,
        "timestamp": "2025-05-13 10:20:30",
        "finish_reason": "stop",
    },
    {
        "id": "0196c9a0-0000-7000-8000-0000000000f1",
        "target_id": "0196c9a0-0000-7000-8000-000000000001",
        "metric_name": "thumbs_up",
        "value": True,
        "timestamp": "2025-05-13 10:21:00",
        "tags": {},
    },
    {
        "id": "0196c9a0-0000-7000-8000-0000000000f2",
        "target_id": "0196c9a0-0000-7000-8000-0000000000e1",
        "metric_name": "task_time",
        "value": 12.5,
        "timestamp": "2025-05-13 10:22:00",
    },
    {
        "id": "0196c9a0-0000-7000-8000-0000000000f3",
        "inference_id": "0196c9a0-0000-7000-8000-000000000001",
        "value": json.dumps([{"type": "text", "text": "Rain on the old roof"}]),
        "timestamp": "2025-05-13 10:23:00",
    },
    {
        "id": "0196c9a0-0000-7000-8000-0000000000f4",
        "target_id": "0196c9a0-0000-7000-8000-000000000001",
        "target_type": "inference",
        "value": "Nice one.",
        "timestamp": "2025-05-13 10:24:00",
    },
    {
        "id": "0196c9a0-0000-7000-8000-000000000002",
        "function_name": "extract",
        "variant_name": "baseline",
        "episode_id": "0196c9a0-0000-7000-8000-0000000000e2",
        "input": {"messages": [{"role": "user", "content": [{"type": "raw_text", "value": "Ann is 7."}]}]},
        "output": {"raw": '{"name":"Ann","age":7}', "parsed": {"name": "Ann", "age": 7}},
        "output_schema": "{}",
        "timestamp": "2025-05-13T10:20:31Z",
        "tags": {},
    },
]
