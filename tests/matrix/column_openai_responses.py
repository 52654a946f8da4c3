"""Providers that speak the Responses API. Answers are hand-made from OpenAI's API reference as openai 3.52 reads it."""

from __future__ import annotations

import json
from typing import Any

from lynkr_core.testing.canned import MODEL, Script, encoded, named

from .column import Body, Column, Different, compatible, texts, words
from .features import LONG_NAME, SAID, THOUGHT

NAME = "openai.responses"


# what the provider got
def last(body: Body) -> Any:
    return body["input"][-1]["content"][0]


def of_type(body: Body, kind: str) -> list[Body]:
    return [item for item in body["input"] if item.get("type") == kind]


def turns(body: Body) -> list[tuple[str, str]]:
    return [(item["role"], texts(item["content"])) for item in body["input"]]


def calls(body: Body) -> list[tuple[str, str, Any]]:
    return [(one["call_id"], one["name"], json.loads(one["arguments"])) for one in of_type(body, "function_call")]


def results(body: Body) -> list[Any]:
    return [
        (item["call_id"], texts(item["output"])) if "call_id" in item else texts(item["content"]) for item in body["input"][3:]
    ]


def prompt(body: Body) -> str:
    told = [text for role, text in turns(body) if role in ("system", "developer")]
    return words(" ".join([body.get("instructions") or "", *told]))


def tool(body: Body) -> Body:
    return body["tools"][0]


SENT = {
    "system prompt": prompt,
    "system prompt in blocks": prompt,
    "system message amid the conversation": lambda b: turns(b)[1][1] if turns(b)[1][0] in ("system", "developer") else None,
    "turns": turns,
    "two user turns in a row": lambda b: [text for _, text in turns(b)],
    "assistant's beginning": lambda b: turns(b)[-1][1],
    "unicode and line ends": lambda b: turns(b)[-1][1],
    "image": lambda b: last(b)["image_url"],
    "image URL": lambda b: last(b)["image_url"],
    "image detail": lambda b: last(b)["detail"],
    "file": lambda b: last(b)["file_data"].removeprefix("data:application/pdf;base64,"),
    "file URL": lambda b: last(b)["file_url"],
    "tools": lambda b: tuple(tool(b)[key] for key in ("name", "description", "parameters")),
    "strict tool": lambda b: tool(b)["strict"],
    "free-text tool": lambda b: tool(b)["name"] if tool(b)["type"] == "custom" else None,
    "parallel calls": calls,
    "results, then text": results,
    "result in parts": lambda b: texts(b["input"][-1]["output"]),
    "result with an image": lambda b: b["input"][-1]["output"][-1]["image_url"],
    "one call at a time": lambda b: b["parallel_tool_calls"],
    "forced tool": lambda b: b["tool_choice"]["name"],
    "some tool": lambda b: b["tool_choice"],
    "no tool": lambda b: b["tool_choice"],
    "schema": lambda b: b["text"]["format"]["schema"],
    "JSON object": lambda b: b["text"]["format"]["type"],
    "temperature, top_p": lambda b: (b["temperature"], b["top_p"]),
    "limit": lambda b: b["max_output_tokens"],
    "log probabilities": lambda b: b["top_logprobs"] if "message.output_text.logprobs" in b["include"] else None,
    "effort": lambda b: b["reasoning"]["effort"],
    "cache key": lambda b: b["prompt_cache_key"],
    "metadata": lambda b: b["metadata"],
    "user": lambda b: b["user"],
    "service tier": lambda b: b["service_tier"],
    "verbosity": lambda b: b["text"]["verbosity"],
    "earlier refusal": lambda b: b["input"][1]["content"][0]["refusal"],
}
DIFFERENTLY = {
    "text document": Different("a file of text", lambda b: last(b)["file_data"], "data:text/plain;base64,cGxhaW4gd29yZHM="),
    "long tool name": Different(
        "a stand-in of at most 64 characters; the caller gets its own name back",
        lambda b: (len(tool(b)["name"]), tool(b)["name"][:20]), (64, LONG_NAME[:20]),
    ),
    "thinking budget": Different("the nearest effort", lambda b: b["reasoning"]["effort"], "medium"),
    "thinking off": Different("`effort: none`", lambda b: b["reasoning"]["effort"], "none"),
    "reasoning summary": Different("`summary: auto`", lambda b: b["reasoning"]["summary"], "auto"),
    "hidden thinking": Different("no summary is asked for", lambda b: "summary" in b["reasoning"], False),
}  # fmt: skip
LOST = {
    "stored file": "file_id",
    "audio": "audio",
    "built-in tool": "web_search",
    "deferred tool": "tools.defer_loading",
    "failed result": "is_error",
    "allowed tools": "tool_choice",
    "stop": "stop",
    "seed": "seed",
    "top_k": "top_k",
    "penalties": "presence_penalty",
    "logit bias": "logit_bias",
    "several answers": "n: ",
    "adaptive thinking": "reasoning: ",
    "cache markers": "cache_control",
    "store": "store",
    "task budget": "task_budget",
    "named speaker": "name",
    "citations of a document": "messages.content.citations",
    "unknown field": "x_unheard_of",
    "unknown key in a message": "x_unheard_of",
    "unknown key in a part": "content.x_unheard_of",
    "unknown key in a tool": "tools.x_unheard_of",
    "unknown part": "hologram",
}


# what the provider says
USAGE: Body = {
    "input_tokens": 9, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 3, "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 12,
}  # fmt: skip


def says(*items: Body, reason: str | None = None, usage: Body = USAGE, pieces: tuple[str, ...] = (), **more: Any) -> Script:
    """The items whole, and as a stream in which each has one delta, or these `pieces`."""
    status = "incomplete" if reason else "completed"
    whole: Body = {
        "id": "resp_1", "object": "response", "created_at": 1_763_700_000, "model": MODEL, "status": status, "output": list(items),
        "usage": usage, "error": None, "incomplete_details": {"reason": reason} if reason else None, **more,
    }  # fmt: skip
    begun = {**whole, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    events = [step("created", response=begun), step("in_progress", response=begun)]
    for index, item in enumerate(items):
        events += [{**event, "output_index": index} for event in streamed(item, pieces)]
    events += [{"type": "keepalive"}, step(status, response=whole)]
    return Script(body=encoded(whole), events=named([{**event, "sequence_number": n} for n, event in enumerate(events)]))


def step(name: str, **more: Any) -> Body:
    return {"type": f"response.{name}", **more}


def streamed(item: Body, pieces: tuple[str, ...]) -> list[Body]:
    opened, steps = dict(item), list[Body]()
    match item["type"]:
        case "message":
            opened["content"] = []
            steps = [event for content in item["content"] for event in told(item, content, pieces)]
        case "function_call":
            opened["arguments"] = ""
            steps = (
                [step("function_call_arguments.delta", delta=item["arguments"], item_id=item["id"])] if item["arguments"] else []
            )
            steps.append(step("function_call_arguments.done", arguments=item["arguments"], item_id=item["id"]))
        case "custom_tool_call":
            opened["input"] = ""
            steps = [step("custom_tool_call_input.delta", delta=item["input"], item_id=item["id"])]
        case "reasoning":
            opened["summary"] = []
            place = {"summary_index": 0, "item_id": item["id"]}
            steps = [step("reasoning_summary_part.added", **place, part={"type": "summary_text", "text": ""})]
            steps += [step("reasoning_summary_text.delta", **place, delta=part["text"]) for part in item["summary"]]
        case _:
            pass
    return [step("output_item.added", item=opened), *steps, step("output_item.done", item=item)]


def told(item: Body, content: Body, pieces: tuple[str, ...]) -> list[Body]:
    place = {"item_id": item["id"], "content_index": 0}
    refusal = content["type"] == "refusal"
    key, name = ("refusal", "refusal") if refusal else ("text", "output_text")
    logprobs = {"logprobs": content["logprobs"]} if content.get("logprobs") else {}
    deltas = [step(f"{name}.delta", **place, delta=piece, **logprobs) for piece in pieces or (content[key],)]
    notes = [
        step("output_text.annotation.added", **place, annotation_index=0, annotation=one)
        for one in content.get("annotations", [])
    ]
    added = step("content_part.added", **place, part={**content, key: ""})
    return [
        added,
        *deltas,
        *notes,
        step(f"{name}.done", **place, **{key: content[key]}),
        step("content_part.done", **place, part=content),
    ]


def text(said: str = "x", **more: Any) -> Body:
    part = {"type": "output_text", "text": said, "annotations": [], **more}
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}


def call(id: str, name: str, arguments: str) -> Body:
    return {"type": "function_call", "id": f"fc_{id}", "call_id": id, "name": name, "arguments": arguments, "status": "completed"}


THINKING = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": THOUGHT}],
    "encrypted_content": "gAAAA",
}
REFUSED = {**text(), "content": [{"type": "refusal", "refusal": "I will not."}]}
PATCH = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "p", "name": "patch", "input": "*** Begin"}
BOTH = [call("a", "f", '{"x": [1, null]}'), call("b", "g", "{}")]
TOKENS: Body = {
    "input_tokens": 100, "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30}, "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 5}, "total_tokens": 120,
}  # fmt: skip
CITED = {"type": "url_citation", "url": "https://papers.example/a.pdf", "title": "a", "start_index": 0, "end_index": 2}
LOGPROB = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []}
SEARCH = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "x"}}
ANSWERS = {
    "text": says(text(SAID), pieces=("Grü", "", 'ße "\\\n')),
    "thinking": says(THINKING, text("so")),
    "thinking, text and calls in order": says(THINKING, text(SAID), *BOTH),
    "parallel calls": says(*BOTH),
    "call without arguments": says(call("b", "g", "")),
    "call of a free-text tool": says(PATCH),
    "call of a tool with a long name": says(call("l", "SENT_NAME", '{"x":1}')),
    "arguments that are no JSON": says(call("j", "f", "{broken")),
    "refusal": says(REFUSED),
    "end": says(text()),
    "end for calls": says(*BOTH),
    "end at the limit": says(text(), reason="max_output_tokens"),
    "end by a filter": says(text(), reason="content_filter"),
    "tokens": says(text(), usage=TOKENS),
    "tokens read from a cache": says(text(), usage=TOKENS),
    "tokens written to a cache": says(text(), usage=TOKENS),
    "tokens of reasoning": says(text(), usage=TOKENS),
    "log probabilities": says(text("Hi", logprobs=[LOGPROB])),
    "citations": says(text("so", annotations=[CITED])),
    "service tier": says(text(), service_tier="default"),
    "model": says(text()),
    "unknown blocks and fields": says(SEARCH, {"type": "hologram", "id": "h_1"}, text("after"), x_unheard_of=1),
    "empty pieces": says(text("full"), pieces=("", "full")),
}
COLUMN = Column(
    name=NAME, title="Responses", table=compatible(NAME), sent=SENT, differently=DIFFERENTLY, lost=LOST, refused={}, answers=ANSWERS,
    untold={"end at a stop sequence": "the API has none", "several answers": "the API gives one"},
    signed=lambda b: THINKING in b["input"],
    unheard={("citations", "anthropic.messages"): "the APIs' citations have nothing in common"},
)  # fmt: skip
