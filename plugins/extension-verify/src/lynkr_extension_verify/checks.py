"""What is wrong with an answer, as far as that can be seen without a model. Each check says what it found, or nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import msgspec
from msgspec import Struct

from lynkr_core.request import FinishReason, Request, ToolCall
from lynkr_extension_verify.schema import mistake
from lynkr_extension_verify.scripts import wrong_script

REPEATED = 6
"""Times that the end of an answer says the same before it is a loop."""
LOOKED_AT = 1_200
"""Characters at the end of an answer in which a loop is looked for."""
LONGEST_LOOP = 200
FEWEST_LETTERS = 3
"""Letters in what is repeated: lines of a table, and runs of zeros, may repeat."""
LONGEST_REFUSAL = 600
"""Characters; whoever says more than that has said something."""


class Answer(Struct, kw_only=True):
    """What has been said so far. `whole`: it has come to its end. `output_tokens` as the provider counts them."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    refused: bool = False
    finish: FinishReason | None = None
    whole: bool = False
    output_tokens: int | None = None


def empty(answer: Answer, request: Request, ask: str) -> str:
    nothing = answer.whole and not answer.text.strip() and not answer.calls
    return "says nothing" if nothing and not answer.refused and answer.finish in ("stop", "tool_calls") else ""


def truncated(answer: Answer, request: Request, ask: str) -> str:
    """Cut for length, though the caller's own limit was not reached."""
    if not answer.whole or answer.finish != "length":
        return ""
    limit, said = request.max_tokens, answer.output_tokens
    own = limit is not None and (said is None or said >= 0.95 * limit)
    return "" if own else "was cut for its length"


def tool_call(answer: Answer, request: Request, ask: str) -> str:
    """A tool that nobody offers, arguments that are no JSON object, or others than its schema takes."""
    tools = {tool.name: tool for tool in request.tools}
    for call in answer.calls:
        if call.kind != "function":
            continue
        tool = tools.get(call.name)
        if tool is None:
            if all(tool.kind in ("function", "custom") for tool in request.tools):  # others may bring names of their own
                return f"calls {call.name[:60]!r}, which is no tool of this request"
            continue
        try:
            arguments = msgspec.json.decode(call.arguments or "{}")
        except (msgspec.DecodeError, RecursionError, UnicodeError):
            return f"calls {call.name} with arguments that are no JSON"
        if not isinstance(arguments, dict):
            return f"calls {call.name} with arguments that are no object"
        if tool.parameters is not None and (found := mistake(arguments, tool.parameters)):
            return f"calls {call.name} with {found}"
    return ""


def structure(answer: Answer, request: Request, ask: str) -> str:
    """JSON was asked for, and this is none, or breaks its schema."""
    shape = request.response_format
    if shape is None or shape.kind == "text" or not answer.whole or answer.calls or not answer.text.strip():
        return ""
    try:
        value = msgspec.json.decode(answer.text)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return "is no JSON, which was asked for"
    found = mistake(value, shape.schema) if shape.schema is not None else ""
    return f"has {found}" if found else ""


def repetition(answer: Answer, request: Request, ask: str) -> str:
    """The end goes round in a loop. Linear: by the failure function of the end, read backwards."""
    end = answer.text[-LOOKED_AT:].rstrip()[::-1]
    period = shortest_period(end)
    if not period or sum(map(str.isalpha, set(end[:period]))) < FEWEST_LETTERS:
        return ""
    return "goes round in a loop"


def shortest_period(end: str) -> int:
    """The shortest period with which the text begins and goes on at least `REPEATED` times; 0 when there is none."""
    borders = [0] * len(end)
    found = 0
    for place in range(1, len(end)):
        border = borders[place - 1]
        while border and end[place] != end[border]:
            border = borders[border - 1]
        borders[place] = border + (end[place] == end[border])
        period = place + 1 - borders[place]
        if period <= LONGEST_LOOP and place + 1 >= REPEATED * max(period, 20):
            found = period if not found else min(found, period)
    return found


def language(answer: Answer, request: Request, ask: str) -> str:
    return wrong_script(ask, answer.text)


_refusal = re.compile(
    r"\A\W*(?:(?:i['’]?m|i am) (?:really |very |so )?sorry\b[^.\n]{0,40}\b(?:can['’]?t|cannot|can not|unable|not able)"
    r"|sorry,? (?:but )?i (?:can['’]?t|cannot|am unable|am not able)"
    r"|i (?:can['’]?t|cannot|can not|won['’]?t|am unable to|['’]?m unable to|am not able to|['’]?m not able to) "
    r"(?:help|assist|do that|comply|fulfil|provide|answer|complete|create|write|access)"
    r"|as an ai(?: language)? model,? i (?:can['’]?t|cannot|do not|don['’]?t|am)"
    r"|(?:извините|простите|к сожалению)[^.\n]{0,20}\bя не (?:могу|в состоянии)|я не могу (?:помочь|выполнить|ответить|предоставить)"
    r"|lo siento[^.\n]{0,20}\bno puedo|no puedo (?:ayudar|cumplir|responder)"
    r"|es tut mir leid[^.\n]{0,20}\b(?:kann|darf)|(?:leider )?kann ich (?:dir|ihnen|dabei|das) nicht)"
    r"|\A(?:抱歉|很抱歉|对不起)[^。\n]{0,12}(?:不能|无法)|\A我(?:不能|无法)(?:帮|协助|提供|回答|满足)",
    re.IGNORECASE,
)


def refusal(answer: Answer, request: Request, ask: str) -> str:
    """It will not, or says it cannot. What a filter held back is none: a dearer model is no way around that."""
    if answer.calls or answer.finish == "content_filter" or len(answer.text) > LONGEST_REFUSAL:
        return ""
    return "refuses" if answer.refused or _refusal.match(answer.text) else ""


Check = Callable[[Answer, Request, str], str]
CHECKS: Mapping[str, Check] = {
    "empty": empty,
    "truncated": truncated,
    "tool_call": tool_call,
    "structure": structure,
    "repetition": repetition,
    "language": language,
    "refusal": refusal,
}


def fault(answer: Answer, request: Request, ask: str, names: tuple[str, ...]) -> tuple[str, str]:
    """The first check that finds something, and what; two empty texts for a good answer."""
    for name in names:
        if found := CHECKS[name](answer, request, ask):
            return name, found
    return "", ""
