"""Log probabilities: Gemini's `logprobsResult` and the form that the other APIs have, a list of tokens under `content`."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from lynkr_core.dialect import UNREADABLE
from lynkr_provider_google.dialect.wire import Wire, encode


class _Chosen(Struct, rename="camel"):
    token: str = ""
    log_probability: float = 0.0


class _Top(Struct):
    candidates: list[_Chosen] | None = None


class _Result(Struct, rename="camel"):
    chosen_candidates: list[_Chosen] | None = None
    top_candidates: list[_Top] | None = None


class _Token(Struct):
    token: str = ""
    logprob: float = 0.0
    top_logprobs: list[_Token] | None = None


class _Content(Struct):
    content: list[_Token] | None = None


_result = msgspec.json.Decoder(_Result)
_content = msgspec.json.Decoder(_Content)
_tokens = msgspec.json.Decoder(list[_Token])


def read_logprobs(raw: Raw | None) -> Raw | None:
    """In the form of the other APIs; None for what is none."""
    if raw is None:
        return None
    try:
        found = _result.decode(raw)
    except UNREADABLE:
        return None
    tops = found.top_candidates or []
    tokens: list[Wire] = []
    for place, chosen in enumerate(found.chosen_candidates or ()):
        top = tops[place].candidates or [] if place < len(tops) else []
        tokens.append(_token(chosen) | {"top_logprobs": [_token(one) for one in top]})
    return Raw(encode({"content": tokens, "refusal": None}))


def _token(chosen: _Chosen) -> Wire:
    return {"token": chosen.token, "logprob": chosen.log_probability, "bytes": list(chosen.token.encode("utf-8", "replace"))}


def write_logprobs(raw: Raw | None) -> dict[str, Any]:
    """The key `logprobsResult` of a candidate, if there is something to tell."""
    if raw is None:
        return {}
    try:
        tokens = _tokens.decode(raw) if bytes(raw).startswith(b"[") else _content.decode(raw).content or []
    except UNREADABLE:
        return {}
    chosen = [_chosen(token) for token in tokens]
    tops = [{"candidates": [_chosen(one) for one in token.top_logprobs or ()]} for token in tokens]
    return {"logprobsResult": {"chosenCandidates": chosen, "topCandidates": tops}}


def _chosen(token: _Token) -> Wire:
    return {"token": token.token, "logProbability": token.logprob}
