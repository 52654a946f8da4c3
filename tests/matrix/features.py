"""What can be asked and answered, with the value that both ends have to agree on."""

from __future__ import annotations

from typing import Any

PNG = "iVBORw0KGgo="
PDF = "JVBERi0xLjQ="
DATA = f"data:image/png;base64,{PNG}"
PDF_DATA = f"data:application/pdf;base64,{PDF}"
URL = "https://pictures.example/a.png"
PAPER = "https://papers.example/a.pdf"
SCHEMA = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"], "additionalProperties": False}
LONG_NAME = "mcp__a_server_with_a_long_name__and_a_tool_whose_name_is_longer_than_that"
ODD_TEXT = 'e\u0301 👩🏽‍🚀 漢字 "quoted" \\back\ttab\r\nline \u2028'
USER = "u-1"

ASKED: dict[str, Any] = {
    "system prompt": "be brief",
    "system prompt in blocks": "be brief be kind",
    "system message amid the conversation": "be quick",
    "turns": [("user", "one"), ("assistant", "two"), ("user", "three")],
    "two user turns in a row": ["one", "two"],
    "assistant's beginning": "Once upon",
    "unicode and line ends": ODD_TEXT,
    "image": DATA,
    "image URL": URL,
    "image detail": "low",
    "file": PDF,
    "file URL": PAPER,
    "text document": "plain words",
    "stored file": "file-1",
    "audio": "UklGRg==",
    "tools": ("f", "does f", SCHEMA),
    "strict tool": True,
    "free-text tool": "patch",
    "built-in tool": "web_search",
    "grouped tools": "ns__f",
    "long tool name": LONG_NAME,
    "deferred tool": True,
    "parallel calls": [("a1", "f", {"x": 1}), ("b2", "f", {"x": 1})],
    "results, then text": [("a1", "one"), ("b2", "two"), "and now?"],
    "result in parts": "one two",
    "result with an image": DATA,
    "failed result": True,
    "one call at a time": False,
    "forced tool": "f",
    "some tool": "required",
    "no tool": "none",
    "allowed tools": "f",
    "schema": SCHEMA,
    "JSON object": "json_object",
    "stop": ["END", "FIN"],
    "seed": 7,
    "temperature, top_p": (0.5, 0.75),
    "top_k": 40,
    "penalties": (0.5, 0.25),
    "logit bias": {"5": 1},
    "limit": 77,
    "several answers": 2,
    "log probabilities": 3,
    "effort": "high",
    "thinking budget": 4000,
    "adaptive thinking": "adaptive",
    "thinking off": "off",
    "reasoning summary": "auto",
    "hidden thinking": "omitted",
    "cache markers": {"type": "ephemeral"},
    "cache key": "k-1",
    "metadata": {"a": "b"},
    "user": USER,
    "service tier": "auto",
    "store": True,
    "verbosity": "low",
    "task budget": 9,
    "named speaker": "kim",
    "earlier refusal": "I will not.",
    "citations of a document": True,
    "unknown field": {"a": [1, None]},
    "unknown key in a message": 1,
    "unknown key in a part": 1,
    "unknown key in a tool": 1,
    "unknown part": "hologram",
    "conversation kept at the provider": "resp_0",
}
"""What a request can say. The value is what a column's finder gives when it is carried as it is."""

THOUGHT, SAID = "Hm 🤔 so.", 'Grüße "\\\n'
CALLS = [("f", {"x": [1, None]}), ("g", {})]

ANSWERED: dict[str, Any] = {
    "text": SAID,
    "thinking": THOUGHT,
    "thinking, text and calls in order": ["thinking", "text", "call", "call"],
    "parallel calls": CALLS,
    "call without arguments": [("g", {})],
    "call of a free-text tool": [("patch", "*** Begin")],
    "call of a tool with a long name": [(LONG_NAME, {"x": 1})],
    "arguments that are no JSON": "{broken",
    "refusal": "I will not.",
    "end": "stop",
    "end for calls": "tool_calls",
    "end at the limit": "length",
    "end by a filter": "content_filter",
    "end at a stop sequence": "END",
    "tokens": (100, 20),
    "tokens read from a cache": 60,
    "tokens written to a cache": 30,
    "tokens of reasoning": 5,
    "log probabilities": [("Hi", -0.5)],
    "citations": "https://papers.example/a.pdf",
    "service tier": "default",
    "model": "scripted-model",
    "several answers": ["one", "two"],
    "unknown blocks and fields": "after",
    "empty pieces": "full",
}
"""What an answer can say. The value is what a front's reader gives when it is carried as it is."""
