"""Scripts of answers by what is said in them, in any dialect: `saying("openai.chat", Text(text="Hi"), ToolCall(id="1", name="f"))`."""

from __future__ import annotations

from typing import Any

from lynkr_core.dialects.fold import unfold
from lynkr_core.request import Choice, Part, Response, ToolCall, Usage
from lynkr_core.testing import factories
from lynkr_core.testing.canned import MODEL, Script

ASKED: dict[str, Any] = {"model": "m", "stream": True, "max_tokens": 1000}


def saying(dialect: str, *parts: Part, usage: tuple[int, int] = (10, 5), finish: str = "", id: str = "upstream_1") -> Script:
    """A good answer of these parts, whole and as a stream. `usage`: tokens in and out. It ends with calls, or by itself."""
    spoken = factories.find_dialect(dialect)
    opening = {"input": "Hi"} if dialect == "openai.responses" else {"messages": [{"role": "user", "content": "Hi"}]}
    exchange = factories.exchange({**ASKED, **opening, "stream_options": {"include_usage": True}}, dialect=spoken)
    called = any(isinstance(part, ToolCall) for part in parts)
    reason: Any = finish or ("tool_calls" if called else "stop")
    response = Response(
        dialect="", id=id, model=MODEL, created=1_763_700_000, choices=(Choice(parts=parts, finish_reason=reason),),
        usage=Usage(input_tokens=usage[0], output_tokens=usage[1]),
    )  # fmt: skip
    encoder = spoken.encoder(exchange.request, exchange.envelope, usage[0])
    pieces = [encoder.encode(event) for event in unfold(response)]
    return Script(body=spoken.encode_response(response, exchange.request), events=tuple([piece for piece in pieces if piece]))
