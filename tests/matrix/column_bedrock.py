"""Providers that speak Bedrock's Converse. Answers are hand-made from botocore 1.44's service model of bedrock-runtime."""

from __future__ import annotations

import json
from typing import Any

from lynkr_core.dialects.anthropic_messages.thinking import BUDGETS
from lynkr_core.dialects.names import safe_name
from lynkr_core.testing.canned import Script, encoded
from lynkr_core.testing.eventstream import event

from . import column_openai_chat as chat
from .column import Body, Column, Different, words
from .features import LONG_NAME, PNG, SAID, THOUGHT

NAME = "bedrock.converse"


def table(url: str) -> str:
    return f'use = "bedrock"\nbase_url = "{url}"\napi_key = "k"\nmodels = ["m"]\n'


# what the provider got
def text_of(message: Body) -> str:
    return " ".join(block["text"] for block in message["content"] if "text" in block)


def turns(body: Body) -> list[tuple[str, str]]:
    return [(one["role"], text_of(one)) for one in body["messages"]]


def last(body: Body) -> Body:
    return body["messages"][-1]["content"][0]


def calls(body: Body) -> list[Any]:
    uses = [block["toolUse"] for block in body["messages"][1]["content"]]
    return [(use["toolUseId"], use["name"], use["input"]) for use in uses]


def results(body: Body) -> list[Any]:
    found = [(block.get("toolResult"), block) for block in body["messages"][-1]["content"]]
    return [(one["toolUseId"], text_of(one)) if one else block["text"] for one, block in found]


def config(name: str) -> Any:
    return lambda b: b["inferenceConfig"][name]


def spec(body: Body) -> Body:
    return body["toolConfig"]["tools"][0]["toolSpec"]


def thinking(body: Body) -> Body:
    return body["additionalModelRequestFields"]["thinking"]


SENT = {
    "system prompt": lambda b: words(text_of({"content": b["system"]})),
    "system prompt in blocks": lambda b: words(text_of({"content": b["system"]})),
    "turns": turns,
    "assistant's beginning": lambda b: turns(b)[-1][1],
    "unicode and line ends": lambda b: turns(b)[-1][1],
    "image": lambda b: "data:image/png;base64," + last(b)["image"]["source"]["bytes"],
    "file": lambda b: last(b)["document"]["source"]["bytes"],
    "tools": lambda b: (spec(b)["name"], spec(b)["description"], spec(b)["inputSchema"]["json"]),
    "strict tool": lambda b: spec(b)["strict"],
    "parallel calls": calls,
    "results, then text": results,
    "result in parts": lambda b: text_of(last(b)["toolResult"]),
    "failed result": lambda b: last(b)["toolResult"]["status"] == "error",
    "forced tool": lambda b: b["toolConfig"]["toolChoice"]["tool"]["name"],
    "some tool": lambda b: "required" if "any" in b["toolConfig"]["toolChoice"] else None,
    "schema": lambda b: json.loads(b["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["schema"]),
    "stop": config("stopSequences"),
    "temperature, top_p": lambda b: (config("temperature")(b), config("topP")(b)),
    "top_k": lambda b: b["additionalModelRequestFields"]["top_k"],
    "limit": config("maxTokens"),
    "thinking budget": lambda b: thinking(b)["budget_tokens"],
    "adaptive thinking": lambda b: thinking(b)["type"],
    "thinking off": lambda b: {"disabled": "off"}[thinking(b)["type"]],
    "metadata": lambda b: b["requestMetadata"],
    "user": lambda b: b["requestMetadata"]["user_id"],
}
DIFFERENTLY = {
    "system message amid the conversation": Different(
        "as a user turn, and said so in `losses`", lambda b: "be quick" in str(turns(b)), True
    ),
    "two user turns in a row": Different("joined into one turn", lambda b: [text for _, text in turns(b)], ["one two"]),
    "text document": Different("a document of text", lambda b: last(b)["document"]["format"], "txt"),
    "audio": Different("a block of sound", lambda b: last(b)["audio"]["source"]["bytes"], "UklGRg=="),
    "result with an image": Different(
        "a block of the result", lambda b: last(b)["toolResult"]["content"][-1]["image"]["source"]["bytes"], PNG
    ),
    "free-text tool": Different("a function of one string; the caller gets the text alone", lambda b: spec(b)["name"], "patch"),
    "grouped tools": Different(
        "each function under `group__name`; the caller gets its own names back", lambda b: spec(b)["name"], "ns__f"
    ),
    "long tool name": Different(
        "a stand-in of at most 64 characters; the caller gets its own name back",
        lambda b: (len(spec(b)["name"]), spec(b)["name"][:20]),
        (64, LONG_NAME[:20]),
    ),
    "no tool": Different("the tools are left out", lambda b: "toolConfig" in b, False),
    "JSON object": Different(
        "a sentence in the system prompt, and said so in `losses`", lambda b: "JSON object" in str(b["system"]), True
    ),
    "effort": Different("the thinking budget that stands for it", lambda b: thinking(b)["budget_tokens"], BUDGETS["high"]),
    ("effort", "anthropic.messages"): Different(
        "adaptive thinking and `outputConfig.effort`",
        lambda b: (thinking(b)["type"], b["outputConfig"]["effort"]),
        ("adaptive", "high"),
    ),
    "cache markers": Different("a cache point", lambda b: b["messages"][-1]["content"][1], {"cachePoint": {"type": "default"}}),
    "earlier refusal": Different("as the assistant's text", lambda b: turns(b)[1][1], "I will not."),
    "service tier": Different("the default", lambda b: "serviceTier" in b, False),
}
LOST = {
    **{key: chat.LOST[key] for key in chat.LOST if isinstance(key, str) and key.startswith("unknown")},
    "image URL": "fetches nothing",
    "image detail": "fetches nothing",
    "file URL": "fetches nothing",
    "stored file": "file",
    "built-in tool": "web_search",
    "deferred tool": "tools.defer_loading",
    "one call at a time": "parallel_tool_calls",
    "allowed tools": "tool_choice",
    "seed": "seed",
    "penalties": "frequency_penalty",
    "logit bias": "logit_bias",
    "several answers": "n: ",
    "log probabilities": "logprobs",
    "reasoning summary": "reasoning: ",
    "hidden thinking": "reasoning: ",
    "cache key": "cache_key",
    "store": "store",
    "verbosity": "verbosity",
    "task budget": "task_budget",
    "named speaker": "name",
    "citations of a document": "messages.content.citations",
}


# what the provider says
USAGE = {"inputTokens": 10, "outputTokens": 20, "totalTokens": 120, "cacheReadInputTokens": 60, "cacheWriteInputTokens": 30}


def says(*blocks: Body, stop: str = "end_turn", **more: Any) -> Script:
    """The blocks whole, and as a stream with one delta for each."""
    whole = {"output": {"message": {"role": "assistant", "content": list(blocks)}}, "stopReason": stop, "usage": USAGE, **more}
    events = [event("messageStart", {"role": "assistant"})]
    for index, block in enumerate(blocks):
        events += [event(name, {"contentBlockIndex": index, **value}) for name, value in streamed(block)]
    events.append(event("messageStop", {"stopReason": stop, **more}))
    events.append(event("metadata", {"usage": USAGE, "metrics": {"latencyMs": 1}}))
    return Script(body=encoded(whole), events=tuple(events))


def streamed(block: Body) -> list[tuple[str, Body]]:
    deltas: list[Body] = []
    start: list[tuple[str, Body]] = []
    if "text" in block:
        deltas = [{"text": piece} for piece in (block["text"][:3], block["text"][3:])]
    elif "toolUse" in block:
        use = block["toolUse"]
        start = [("contentBlockStart", {"start": {"toolUse": {"toolUseId": use["toolUseId"], "name": use["name"]}}})]
        deltas = [{"toolUse": {"input": encoded(use["input"]).decode()}}] if use["input"] else []
    elif "reasoningContent" in block:
        told = block["reasoningContent"]["reasoningText"]
        deltas = [{"reasoningContent": {"text": told["text"]}}, {"reasoningContent": {"signature": told["signature"]}}]
    return [*start, *[("contentBlockDelta", {"delta": delta}) for delta in deltas], ("contentBlockStop", {})]


def use(id: str, name: str, given: Any) -> Body:
    return {"toolUse": {"toolUseId": id, "name": name, "input": given}}


THINKING = {"reasoningContent": {"reasoningText": {"text": THOUGHT, "signature": "c2ln"}}}
BOTH = (use("a", "f", {"x": [1, None]}), use("b", "g", {}))
TEXT = {"text": SAID}
ANSWERS = {
    "text": says(TEXT),
    "thinking": says(THINKING, {"text": "so"}),
    "thinking, text and calls in order": says(THINKING, TEXT, *BOTH, stop="tool_use"),
    "parallel calls": says(*BOTH, stop="tool_use"),
    "call without arguments": says(use("b", "g", {}), stop="tool_use"),
    "call of a free-text tool": says(use("p", "patch", {"input": "*** Begin"}), stop="tool_use"),
    "call of a tool with a long name": says(use("l", safe_name(LONG_NAME), {"x": 1}), stop="tool_use"),
    "end": says({"text": "x"}),
    "end for calls": says(*BOTH, stop="tool_use"),
    "end at the limit": says({"text": "x"}, stop="max_tokens"),
    "end by a filter": says({"text": "x"}, stop="content_filtered"),
    "tokens": says({"text": "x"}),
    "tokens read from a cache": says({"text": "x"}),
    "tokens written to a cache": says({"text": "x"}),
    "unknown blocks and fields": says({"text": "after"}, x_unheard_of=1),
    "empty pieces": says({"text": ""}, {"text": "full"}),
}
COLUMN = Column(
    name=NAME,
    title="Converse",
    table=table,
    sent=SENT,
    differently=DIFFERENTLY,
    lost=LOST,
    refused={"conversation kept at the provider": "previous_response_id"},
    answers=ANSWERS,
    untold={
        **dict.fromkeys(
            (
                "refusal",
                "end at a stop sequence",
                "tokens of reasoning",
                "log probabilities",
                "service tier",
                "model",
                "several answers",
            ),
            "the API does not say it",
        ),
        "citations": "they are of documents, without a URL",
        "arguments that are no JSON": "arguments are objects",
    },
    kin=("anthropic.messages",),
    signed=lambda b: b["messages"][1]["content"][0] == THINKING,
)
