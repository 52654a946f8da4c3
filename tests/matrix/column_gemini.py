"""Providers that speak Gemini. Answers are hand-made from Gemini's API reference as google-genai 3.4 reads it."""

from __future__ import annotations

from typing import Any

from lynkr_core import sse
from lynkr_core.testing.canned import MODEL, Script, encoded

from . import column_openai_chat as chat
from .column import Body, Column, Different, words
from .features import LONG_NAME, PAPER, PDF, PNG, SAID, THOUGHT, URL

NAME = "gemini"


def table(url: str) -> str:
    return f'use = "google"\nbase_url = "{url}/v1beta"\napi_key = "k"\nmodels = ["m"]\n'


# what the provider got
def text_of(content: Body) -> str:
    return " ".join(part["text"] for part in content["parts"] if "text" in part)


def turns(body: Body) -> list[tuple[str, str]]:
    return [({"model": "assistant"}.get(one["role"], one["role"]), text_of(one)) for one in body["contents"]]


def last(body: Body) -> Body:
    return body["contents"][-1]["parts"][0]


def calls(body: Body) -> list[Any]:
    return [
        (one["functionCall"].get("id"), one["functionCall"]["name"], one["functionCall"]["args"])
        for one in body["contents"][1]["parts"]
    ]


def results(body: Body) -> list[Any]:
    parts = [part for content in body["contents"][2:] for part in content["parts"]]
    told = [part.get("functionResponse") for part in parts]
    return [(one["id"], one["response"]["output"]) if one else part["text"] for one, part in zip(told, parts, strict=True)]


def config(name: str) -> Any:
    return lambda b: b["generationConfig"][name]


def declared(body: Body) -> Body:
    return body["tools"][0]["functionDeclarations"][0]


def choice(body: Body) -> Body:
    return body["toolConfig"]["functionCallingConfig"]


SENT = {
    "system prompt": lambda b: words(text_of(b["systemInstruction"])),
    "system prompt in blocks": lambda b: words(text_of(b["systemInstruction"])),
    "turns": turns,
    "assistant's beginning": lambda b: turns(b)[-1][1],
    "unicode and line ends": lambda b: turns(b)[-1][1],
    "tools": lambda b: (declared(b)["name"], declared(b)["description"], declared(b)["parametersJsonSchema"]),
    "parallel calls": calls,
    "results, then text": results,
    "result in parts": lambda b: words(str(b["contents"][-1]["parts"][0]["functionResponse"]["response"]["output"])),
    "forced tool": lambda b: choice(b)["allowedFunctionNames"][0] if choice(b)["mode"] == "ANY" else None,
    "some tool": lambda b: {"ANY": "required"}[choice(b)["mode"]],
    "no tool": lambda b: choice(b)["mode"].lower(),
    "schema": config("responseJsonSchema"),
    "stop": config("stopSequences"),
    "seed": config("seed"),
    "temperature, top_p": lambda b: (config("temperature")(b), config("topP")(b)),
    "top_k": config("topK"),
    "penalties": lambda b: (config("frequencyPenalty")(b), config("presencePenalty")(b)),
    "limit": config("maxOutputTokens"),
    "several answers": config("candidateCount"),
    "log probabilities": lambda b: config("responseLogprobs")(b) and config("logprobs")(b),
    "effort": lambda b: config("thinkingConfig")(b)["thinkingLevel"],
    "thinking budget": lambda b: config("thinkingConfig")(b)["thinkingBudget"],
    "long tool name": lambda b: declared(b)["name"],
}
DIFFERENTLY = {
    "system message amid the conversation": Different(
        "as a user turn, and said so in `losses`", lambda b: "be quick" in str(turns(b)), True
    ),
    "two user turns in a row": Different("joined into one turn", lambda b: [text for _, text in turns(b)], ["one two"]),
    "image": Different("`inlineData`", lambda b: last(b)["inlineData"]["data"], PNG),
    "image URL": Different("`fileData`", lambda b: last(b)["fileData"]["fileUri"], URL),
    "file": Different("`inlineData`", lambda b: last(b)["inlineData"]["data"], PDF),
    "file URL": Different("`fileData`", lambda b: last(b)["fileData"]["fileUri"], PAPER),
    "text document": Different("`inlineData`", lambda b: last(b)["inlineData"]["mimeType"], "text/plain"),
    "audio": Different("`inlineData`", lambda b: last(b)["inlineData"]["data"], "UklGRg=="),
    "free-text tool": Different(
        "a function of one string; the caller gets the text alone", lambda b: declared(b)["name"], "patch"
    ),
    "grouped tools": Different(
        "each function under `group__name`; the caller gets its own names back", lambda b: declared(b)["name"], "ns__f"
    ),
    "long tool name": Different(
        "a stand-in of at most 64 characters; the caller gets its own name back",
        lambda b: (len(declared(b)["name"]), declared(b)["name"][:20]),
        (64, LONG_NAME[:20]),
    ),
    "result with an image": Different("beside the result", lambda b: PNG in str(b["contents"][-1]), True),
    "failed result": Different("under `error`", lambda b: "error" in last(b)["functionResponse"]["response"], True),
    "JSON object": Different("`responseMimeType`", config("responseMimeType"), "application/json"),
    "adaptive thinking": Different("a budget of -1", lambda b: config("thinkingConfig")(b)["thinkingBudget"], -1),
    "thinking off": Different(
        "the least that the model can, and said so in `losses`", lambda b: config("thinkingConfig")(b)["thinkingLevel"], "minimal"
    ),
    "reasoning summary": Different("`includeThoughts`", lambda b: config("thinkingConfig")(b)["includeThoughts"], True),
    "hidden thinking": Different("without `includeThoughts`", lambda b: "includeThoughts" in config("thinkingConfig")(b), False),
    "earlier refusal": Different("as the model's text", lambda b: turns(b)[1][1], "I will not."),
}
del SENT["long tool name"]
LOST = {
    **{key: chat.LOST[key] for key in chat.LOST if isinstance(key, str) and key.startswith("unknown")},
    "image detail": "detail",
    "stored file": "document",
    "strict tool": "tools.strict",
    "built-in tool": "web_search",
    "deferred tool": "tools.defer_loading",
    "one call at a time": "parallel_tool_calls",
    "allowed tools": "tool_choice",
    "logit bias": "logit_bias",
    "cache markers": "cache_control",
    "cache key": "cache_key",
    "metadata": "metadata",
    "user": "user",
    "service tier": "service_tier",
    "store": "store",
    "verbosity": "verbosity",
    "task budget": "task_budget",
    "named speaker": "name",
    "citations of a document": "messages.content.citations",
}


# what the provider says
USAGE = {
    "promptTokenCount": 100,
    "candidatesTokenCount": 15,
    "thoughtsTokenCount": 5,
    "totalTokenCount": 120,
    "cachedContentTokenCount": 60,
}


def says(*parts: Body, finish: str = "STOP", **more: Any) -> Script:
    """The parts whole, and as a stream with a chunk for each."""
    head = {"responseId": "r1", "modelVersion": MODEL}
    whole = {**head, "candidates": [candidate(0, parts, finish, **more)], "usageMetadata": USAGE}
    chunks = [
        {**head, "candidates": [{"content": {"role": "model", "parts": [part]}, "index": 0}], "usageMetadata": USAGE}
        for part in parts
    ]
    chunks.append({**head, "candidates": [candidate(0, (), finish, **more)], "usageMetadata": USAGE})
    return Script(body=encoded(whole), events=tuple([sse.event(encoded(chunk)) for chunk in chunks]))


def candidate(index: int, parts: tuple[Body, ...], finish: str, **more: Any) -> Body:
    content = {"content": {"role": "model", "parts": list(parts)}} if parts else {}
    return {**content, "finishReason": finish, "index": index, **more}


def several() -> Script:
    made = [candidate(index, ({"text": text},), "STOP") for index, text in enumerate(("one", "two"))]
    whole = {"responseId": "r1", "modelVersion": MODEL, "candidates": made, "usageMetadata": USAGE}
    return Script(body=encoded(whole), events=(sse.event(encoded(whole)),))


def call(name: str, args: Any, id: str | None = None) -> Body:
    return {"functionCall": {"name": name, "args": args, **({"id": id} if id else {})}}


THINKING = {"text": THOUGHT, "thought": True}
BOTH = ({**call("f", {"x": [1, None]}), "thoughtSignature": "c2ln"}, call("g", {}))
TEXT = {"text": SAID}
LOGPROBS = {
    "chosenCandidates": [{"token": "Hi", "tokenId": 1, "logProbability": -0.5}],
    "topCandidates": [{"candidates": [{"token": "Hi", "tokenId": 1, "logProbability": -0.5}]}],
}
ANSWERS = {
    "text": says({"text": "Grü"}, {"text": ""}, {"text": 'ße "\\\n'}),
    "thinking": says(THINKING, {"text": "so"}),
    "thinking, text and calls in order": says(THINKING, TEXT, *BOTH),
    "parallel calls": says(*BOTH),
    "call without arguments": says(call("g", {})),
    "call of a free-text tool": says(call("patch", {"input": "*** Begin"})),
    "call of a tool with a long name": says(call("SENT_NAME", {"x": 1})),
    "end": says({"text": "x"}),
    "end for calls": says(*BOTH),
    "end at the limit": says({"text": "x"}, finish="MAX_TOKENS"),
    "end by a filter": says({"text": "x"}, finish="SAFETY"),
    "tokens": says({"text": "x"}),
    "tokens read from a cache": says({"text": "x"}),
    "tokens of reasoning": says({"text": "x"}),
    "log probabilities": says({"text": "Hi"}, logprobsResult=LOGPROBS),
    "model": says({"text": "x"}),
    "several answers": several(),
    "unknown blocks and fields": says({"hologram": {"h": 1}}, {"text": "after"}, x_unheard_of=1),
    "empty pieces": says({"text": ""}, {"text": "full"}),
}
COLUMN = Column(
    name=NAME,
    title="Gemini",
    table=table,
    sent=SENT,
    differently=DIFFERENTLY,
    lost=LOST,
    refused={"conversation kept at the provider": "previous_response_id"},
    answers=ANSWERS,
    untold={
        **dict.fromkeys(
            ("refusal", "end at a stop sequence", "tokens written to a cache", "service tier"), "the API does not say it"
        ),
        "citations": "they have no URL of a text's place",
        "arguments that are no JSON": "arguments are objects",
    },
    signed=lambda b: "c2ln" in str(b),
)
