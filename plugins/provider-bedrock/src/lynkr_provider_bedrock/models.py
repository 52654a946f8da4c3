"""What models of one maker take beyond what Converse itself says, and what they refuse."""

from __future__ import annotations

from typing import Any, cast

from msgspec import Struct

from lynkr_core.dialect import Fields
from lynkr_core.dialects.anthropic_messages.thinking import MIN_BUDGET, MIN_TOP_P
from lynkr_core.dialects.anthropic_messages.turns import note
from lynkr_provider_bedrock.blocks import Wire

REGIONS = frozenset({"us", "us-gov", "eu", "apac", "jp", "au", "ca", "sa", "mx", "me", "af", "il", "global"})
"""What an inference profile's name may begin with."""
MORE = "additionalModelRequestFields"


class Maker(Struct, frozen=True, kw_only=True):
    """`choices`: forced choices that its models take; `errors`: whether they take `status` in tool results (botocore's service model
    says so for both). `top_k`: under which keys. `thinks`: how thinking is asked for, `budget` or `effort`.
    """

    choices: frozenset[str] = frozenset()
    errors: bool = False
    caches: bool = False
    top_k: tuple[str, ...] = ()
    thinks: str = ""


BOTH = frozenset({"any", "tool"})
ANTHROPIC = Maker(choices=BOTH, errors=True, caches=True, top_k=("top_k",), thinks="budget")
MAKERS = {
    "": ANTHROPIC,
    "anthropic": ANTHROPIC,
    "amazon": Maker(choices=BOTH, errors=True, caches=True, top_k=("inferenceConfig", "topK")),
    "mistral": Maker(choices=frozenset({"any"}), top_k=("top_k",)),
    "cohere": Maker(top_k=("k",)),
    "openai": Maker(thinks="effort"),
}
"""An ARN that does not name its model, as those of application inference profiles, is taken for one of Anthropic's."""
OTHER = Maker()
EFFORTS = ((2048, "low"), (8192, "medium"))


def maker_of(model: str) -> str:
    """`anthropic` of `us.anthropic.claude-…` or `arn:…/us.anthropic.claude-…`; empty when the name does not tell."""
    words = model.rpartition("/")[2].split(".")
    if words[0] in REGIONS:
        del words[0]
    return words[0] if len(words) > 1 else ""


def suit(fields: Fields, model: str, losses: list[str]) -> None:
    """Makes a request one that this model takes; what is taken out is told in `losses`."""
    maker = MAKERS.get(maker_of(model), OTHER)
    more: Wire = fields.get(MORE) if isinstance(fields.get(MORE), dict) else {}  # pyright: ignore[reportAssignmentType]
    suit_choice(fields, maker, losses)
    suit_thinking(fields, more, maker, losses)
    suit_top_k(more, maker, losses)
    suit_blocks(fields, maker, losses)
    if maker is ANTHROPIC:
        suit_stop(fields, losses)
    if MORE in fields and not fields[MORE]:
        del fields[MORE]


def suit_choice(fields: Fields, maker: Maker, losses: list[str]) -> None:
    choice: Wire | None = fields.get("toolConfig", {}).get("toolChoice")
    if choice is None or not maker.choices.isdisjoint(choice):
        return
    if "any" in maker.choices:
        fields["toolConfig"]["toolChoice"] = {"any": {}}
        note(losses, "tool_choice: this model cannot be made to call one tool, but to call some")
    else:
        del fields["toolConfig"]["toolChoice"]
        note(losses, "tool_choice: this model cannot be made to call tools")


def suit_top_k(more: Wire, maker: Maker, losses: list[str]) -> None:
    value = more.pop("top_k", None)
    if value is None:
        return
    if not maker.top_k:
        note(losses, "top_k: not known for this model")
        return
    first, *rest = maker.top_k
    more[first] = {rest[0]: value} if rest else value


def suit_thinking(fields: Fields, more: Wire, maker: Maker, losses: list[str]) -> None:
    wanted = more.get("thinking")
    if not isinstance(wanted, dict):  # none, or the caller's own words
        return
    thinking = cast("Wire", wanted)
    if maker.thinks == "budget":
        fit(fields, more, thinking, losses)
        return
    del more["thinking"]
    output: Wire = fields.get("outputConfig", {})
    effort: str | None = output.pop("effort", None)
    if not output:
        fields.pop("outputConfig", None)
    if thinking["type"] == "disabled":
        return
    if maker.thinks == "effort":
        budget = thinking.get("budget_tokens", 0)
        of_budget = next((word for limit, word in EFFORTS if budget <= limit), "high") if budget else "medium"
        more["reasoning_effort"] = effort if effort in ("low", "medium", "high") else of_budget
    else:
        note(losses, "reasoning: how this model is asked for it is not known")


def fit(fields: Fields, more: Wire, thinking: Wire, losses: list[str]) -> None:
    """Anthropic's rules for a budget: room under the limit, no prefill, a tool loop that began with thinking; and no sampling."""
    if thinking["type"] == "enabled":
        config: Wire = fields.get("inferenceConfig", {})
        reason = obstacle(fields["messages"]) or fit_budget(thinking, config.get("maxTokens"), losses)
        if reason is not None:
            note(losses, f"reasoning: off, because {reason}")
            more["thinking"] = {"type": "disabled"}
            return
    if thinking["type"] != "disabled":
        drop_sampling(fields, more, losses)


def fit_budget(thinking: Wire, limit: int | None, losses: list[str]) -> str | None:
    """Without a limit the model's own maximum counts."""
    budget: int = thinking["budget_tokens"]
    if limit is None or (budget < limit and budget <= max(limit - MIN_BUDGET, MIN_BUDGET)):
        return None
    room = limit - MIN_BUDGET
    if room < MIN_BUDGET:
        return f"max_tokens {limit} leaves no room for it"
    thinking["budget_tokens"] = room
    note(losses, f"reasoning: the budget of {budget} tokens was lowered to {room} to fit max_tokens")
    return None


def obstacle(messages: list[Wire]) -> str | None:
    last = messages[-1]
    if last["role"] == "assistant":
        return "the last message is the assistant's"
    looping = len(messages) > 1 and any("toolResult" in block for block in last["content"])
    if looping and "reasoningContent" not in messages[-2]["content"][0]:
        return "the tool loop under way did not begin with this model's thinking"
    return None


def drop_sampling(fields: Fields, more: Wire, losses: list[str]) -> None:
    config: Wire = fields.get("inferenceConfig", {})
    if config.pop("temperature", 1) != 1:
        note(losses, "temperature: not allowed with thinking")
    if more.pop("top_k", None) is not None:
        note(losses, "top_k: not allowed with thinking")
    if config.get("topP", 1) < MIN_TOP_P:
        del config["topP"]
        note(losses, f"top_p: under {MIN_TOP_P} it is not allowed with thinking")
    if not config:
        fields.pop("inferenceConfig", None)
    if fields.get("toolConfig", {}).pop("toolChoice", None) is not None:
        note(losses, "tool_choice: a forced tool is not allowed with thinking, the model may choose")


def suit_stop(fields: Fields, losses: list[str]) -> None:
    config: Wire = fields.get("inferenceConfig", {})
    stop: list[str] = config.get("stopSequences", [])
    kept = [sequence for sequence in stop if sequence.strip()]
    if len(kept) == len(stop):
        return
    note(losses, "stop: sequences of white space are not allowed")
    config["stopSequences"] = kept
    if not kept:
        del config["stopSequences"]


def suit_blocks(fields: Fields, maker: Maker, losses: list[str]) -> None:
    """Cache points, and marks on failed tool results, where they are refused."""
    lists: list[list[Wire]] = [message["content"] for message in fields["messages"]]
    tools: Wire = fields.get("toolConfig", {})
    if not maker.errors:
        failed = [block["toolResult"] for blocks in lists for block in blocks if "status" in block.get("toolResult", ())]
        for result in failed:
            del result["status"]
            note(losses, "messages: this model is not told that a tool failed, only what it said")
    if maker is MAKERS["amazon"] or not maker.caches:
        lists = [tools.get("tools", [])] if maker.caches else [*lists, fields.get("system", []), tools.get("tools", [])]
        for blocks in lists:
            kept: list[Any] = [block for block in blocks if "cachePoint" not in block]
            if len(kept) < len(blocks):
                blocks[:] = kept
                note(losses, "cache_control: this model has no prompt cache of its own here")
