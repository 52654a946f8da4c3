"""The form of a chat request."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import msgspec

KEPT = {"model": "model", "temperature": "heat", "max_tokens": "limit", "max_completion_tokens": "limit", "stream": "stream"}
"""Keys of Chat Completions, and what the form calls them. `stream` is for `send`: the API has none, one is made of the answer."""
SILENT = frozenset({"messages", "stream_options", "user", "metadata", "store", "n"})
"""Keys whose loss changes no answer, or that are read elsewhere."""


def form_of(fields: Mapping[str, Any], losses: list[str]) -> dict[str, Any]:
    """What can be said, as plain values; the rest is added to `losses`, as `field: why`."""
    told: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(fields))
    form: dict[str, Any] = {"prompt": "\n\n".join(prompts(told.get("messages"), losses))}
    for key, value in told.items():
        if key in KEPT and value is not None:
            form[KEPT[key]] = value
        elif key not in KEPT and key not in SILENT and value is not None:
            losses.append(f"{key}: the API of jobs has no such thing")
    if told.get("n") not in (None, 1):
        losses.append("n: a job has one answer")
    return form


def prompts(messages: Any, losses: list[str]) -> Iterator[str]:
    """Each message as `role: text`."""
    for place, message in enumerate(cast("list[dict[str, Any]]", messages)):
        text = "\n".join(texts(message.get("content"), f"messages[{place}].content", losses))
        if message.get("tool_calls"):
            losses.append(f"messages[{place}].tool_calls: the API of jobs has no such thing")
        if text:
            yield f"{message.get('role', 'user')}: {text}"


def texts(content: Any, where: str, losses: list[str]) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for place, part in enumerate(cast("list[dict[str, Any]]", content)):
            if part.get("type") == "text":
                yield str(part.get("text", ""))
            else:
                losses.append(f"{where}[{place}]: the API of jobs takes text alone")
