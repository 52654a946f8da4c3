"""A job that is done, as the body of an answer of Chat Completions, whole or streamed."""

import time
from typing import Any

import msgspec

from lynkr_core import sse
from lynkr_provider_jobs.xml import Job

JSON = {b"content-type": b"application/json"}
EVENTS = {b"content-type": b"text/event-stream"}
Written = tuple[dict[bytes, bytes], list[bytes]]
"""Headers, and the pieces of the body."""


def head(job: Job, model: str) -> dict[str, Any]:
    return {"id": f"job-{job.id}", "created": int(time.time()), "model": model}


def usage(job: Job) -> dict[str, int]:
    total = job.units_in + job.units_out
    return {"prompt_tokens": job.units_in, "completion_tokens": job.units_out, "total_tokens": total}


def reason(job: Job) -> str:
    return "length" if job.ended == "limit" else "stop"


def answered(job: Job, model: str) -> Written:
    message = {"role": "assistant", "content": job.text}
    choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": reason(job)}
    body = {**head(job, model), "object": "chat.completion", "choices": [choice], "usage": usage(job)}
    return JSON, [msgspec.json.encode(body)]


def streamed(job: Job, model: str) -> Written:
    """The API has no streams: all of it comes at once."""
    chunk: dict[str, Any] = {**head(job, model), "object": "chat.completion.chunk"}
    said: dict[str, Any] = {"index": 0, "delta": {"role": "assistant", "content": job.text}, "finish_reason": None}
    ended: dict[str, Any] = {"index": 0, "delta": {}, "finish_reason": reason(job)}
    chunks: list[dict[str, Any]] = [
        {**chunk, "choices": [said]},
        {**chunk, "choices": [ended]},
        {**chunk, "choices": [], "usage": usage(job)},
    ]
    return EVENTS, [*[sse.event(msgspec.json.encode(one)) for one in chunks], sse.event(b"[DONE]")]
