"""What a model is known not to take: the model leaves the candidates, or the parameter leaves the body."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from fnmatch import fnmatchcase

import msgspec
from msgspec import Raw

from lynkr_core.candidates import Tiers
from lynkr_core.cards import ModelCard
from lynkr_core.dialect import UNREADABLE
from lynkr_core.errors import Forbidden, InvalidRequest, TooLarge
from lynkr_core.exchange import Candidate, Exchange, Principal, Removal
from lynkr_core.request import Blob, File, Modality, Part, Request, ToolCallResponse, ToolChoice, Uri
from lynkr_core.tokens import estimate

SPARSE = 2
"""A body of fewer bytes for each token of the window is not counted: no text is that dense."""
DOUBT = 1.25
"""How much too high the local estimate may be: 95 % of texts are within it."""
SHORTEST = len('{"role":"","content":""},')
"""Bytes of a message, at least: shorter bodies cannot have too many, and most are."""
Seen = dict[Modality, Part | None]
_items = msgspec.json.Decoder(list[Raw])


def check(exchange: Exchange, max_messages: int) -> None:
    """What is wrong with a request whoever is to serve it. Raises `InvalidRequest`, or `TooLarge` for too many messages.

    Braces are fast to count, and each message has one: lists are looked at only where there are more of them than messages allowed.
    """
    body, key, grown = exchange.body, exchange.dialect.conversation, exchange.envelope.grown
    if len(body) > SHORTEST * max_messages and (grown.braces if grown else body.count(b"{")) > max_messages:
        count = length(exchange.envelope.fields.get(key))
        if count > max_messages:
            raise TooLarge(f"{key} has {count} entries, over {max_messages}; [server] max_messages raises the limit", param=key)
    exchange.dialect.check(exchange.envelope)


def length(raw: Raw | None) -> int:
    """Of a list; 0 for anything else."""
    try:
        return len(_items.decode(raw)) if raw is not None else 0
    except UNREADABLE:
        return 0


def leave_out(exchange: Exchange, reasons: Mapping[str, str]) -> None:
    """Removes these candidates; whatever selectors say, they cannot come back."""
    exchange.removed += tuple([Removal(id, reason, "kernel") for id, reason in reasons.items()])
    exchange.candidates = tuple([candidate for candidate in exchange.candidates if candidate.id not in reasons])


def keep(exchange: Exchange, able: Sequence[Candidate], reason: str) -> None:
    """Leaves these candidates and no others. Raises `InvalidRequest` when there are none."""
    leave_out(exchange, {c.id: reason for c in exchange.candidates if c not in able})
    if not able:
        raise InvalidRequest(f"nobody can serve {exchange.envelope.model!r}: {reason}", param="model")


def confine(exchange: Exchange) -> None:
    """Removes candidates that are not the operator's own. Raises `Forbidden`."""
    leave_out(exchange, {c.id: "not local" for c in exchange.candidates if not c.provider.is_local(c.model)})
    if not exchange.candidates:
        raise Forbidden("no local model serves what was asked for", code="local_only")


def permitted(who: Principal, tiers: Tiers, ids: Collection[str]) -> set[str]:
    """Those of these candidates that may serve whoever is calling, by models and tiers."""
    kept = {c.id for name in who.tiers for c in tiers.candidates(name)}.intersection(ids) if who.tiers else set(ids)
    return {id for id in kept if not who.models or any(fnmatchcase(id, pattern) for pattern in who.models)}


def permit(exchange: Exchange, tiers: Tiers) -> None:
    """Removes candidates that whoever is calling may not use. Raises `Forbidden`."""
    who = exchange.principal
    kept = permitted(who, tiers, [candidate.id for candidate in exchange.candidates])
    leave_out(exchange, {c.id: f"not for {who.id}" for c in exchange.candidates if c.id not in kept})
    if not exchange.candidates:
        allowed = ", ".join((*who.models, *who.tiers))
        raise Forbidden(
            f"{exchange.asked!r} is not for {who.id}, which may use {allowed}", code="model_not_allowed", param="model"
        )


def narrow(exchange: Exchange, strict: bool, ended: bool = False) -> None:
    """Removes candidates that are known to fail. Raises `InvalidRequest`.

    `strict`: those that refuse a parameter too. `ended`: those that are served no longer.
    """
    seen: Seen = {}
    errors = {c.id: error for c in exchange.candidates if c.card and (error := unfit(exchange, c.card, strict, seen, ended))}
    if errors:
        leave_out(exchange, {id: error.message for id, error in errors.items()})
        if not exchange.candidates:
            first = next(iter(errors.values()))
            told = "; ".join([f"{id}: {error.message}" for id, error in errors.items()])
            raise InvalidRequest(f"nobody can serve this request: {told}", code=first.code, param=first.param)
    asked = exchange.envelope.max_tokens
    if asked and len(exchange.candidates) > 1:
        spare(exchange, asked)


def spare(exchange: Exchange, asked: int) -> None:
    """Removes candidates whose window has no room for the longest answer that was asked for, as far as others have it.

    An answer is seldom that long, so who has nobody else is not refused.
    """
    cards = {c.id: c.card for c in exchange.candidates if c.card}
    rooms = {id: card.context_window - min(asked, card.max_output or asked) for id, card in cards.items() if card.context_window}
    if not rooms or len(exchange.body) <= SPARSE * min(rooms.values()):
        return
    count = estimate(exchange.request)
    tight = {id: f"no room for {asked} tokens of answer" for id, room in rooms.items() if count > room}
    if 0 < len(tight) < len(exchange.candidates):
        leave_out(exchange, tight)


def unfit(exchange: Exchange, card: ModelCard, strict: bool, seen: Seen, ended: bool = False) -> InvalidRequest | None:
    """Why the model cannot serve this request. Less than a microsecond when its card says nothing that matters."""
    if ended and card.ends and card.ends < date.today():
        return InvalidRequest(f"it was served until {card.ends}", code="model_not_found", param="model")
    if exchange.operation != "chat":
        return None
    for modality in card.refuses:
        if modality not in seen:  # looking through a body costs 0.4 ms for each megabyte
            seen[modality] = found(exchange, modality)
        if part := seen[modality]:
            place = where(exchange, part)
            return InvalidRequest(f"it takes no {modality}, and {place} has one", param=place)
    if lacking := lacks(exchange, card, strict):
        return lacking
    window = card.context_window
    if window and len(exchange.body) > SPARSE * window and (count := estimate(exchange.request)) > DOUBT * window:
        message = f"prompt is too long: about {count} tokens > {window} maximum"  # the words by which clients know to shorten it
        return InvalidRequest(message, code="context_length_exceeded", param=exchange.dialect.conversation)
    if strict and (keys := refused(exchange, card)):
        return InvalidRequest(f"it does not take {', '.join(keys)}", param=next(iter(keys)))
    return None


def lacks(exchange: Exchange, card: ModelCard, strict: bool) -> InvalidRequest | None:
    """What is asked for and the model cannot do: tools, an answer by a schema and, where nothing is to be left out, thinking."""
    if card.tools is False and "tools" in exchange.envelope.fields and exchange.request.tools:
        return InvalidRequest("it takes no tools", param="tools")
    if card.structured is False and exchange.dialect.schema_mark in exchange.body:
        shape = exchange.request.response_format
        if shape is not None and shape.kind == "json_schema":
            return InvalidRequest("it cannot keep to a schema", param="response_format")
    asked = exchange.request.reasoning if strict and card.reasoning is False else None
    if asked and (asked.mode in ("on", "adaptive") or asked.effort not in (None, "none")):
        return InvalidRequest("it cannot think", param="reasoning")
    return None


def found(exchange: Exchange, modality: Modality) -> Part | None:
    """The first input of this kind; the request is only built when its bytes may have one. A plain text file is text."""
    if not any(mark in exchange.body for mark in exchange.dialect.media.get(modality, ())):
        return None
    parts = [part for message in exchange.request.messages for part in message.parts]
    parts += [inner for part in parts if isinstance(part, ToolCallResponse) for inner in part.content]
    media = [part for part in parts if isinstance(part, Blob | Uri | File) and part.modality == modality]
    return next((part for part in media if isinstance(part, File) or not (part.mime_type or "").startswith("text/")), None)


def where(exchange: Exchange, part: Part) -> str:
    """`messages[2]`: the item of the conversation that has this part, as the caller wrote it."""
    key, fragment = exchange.dialect.conversation, bytes(part.native or b"?")
    try:
        items = _items.decode(exchange.envelope.fields[key])
    except (KeyError, *UNREADABLE):
        return key
    return next((f"{key}[{index}]" for index, item in enumerate(items) if fragment in bytes(item)), key)


def refused(exchange: Exchange, card: ModelCard | None) -> Mapping[str, str]:
    """The keys of the request that this model refuses, and their names in the internal model."""
    asked = exchange.envelope.fields.keys()
    if card is None or (asked.isdisjoint(card.refused) and asked.isdisjoint(card.refused_thinking)):
        return {}
    request = exchange.request
    keys = {**card.refused, **card.refused_thinking} if thinks(request, card) else card.refused
    return {key: name for key, name in keys.items() if key in asked and states(request, name)}


def thinks(request: Request, card: ModelCard) -> bool:
    asked = request.reasoning
    if asked is None or asked.mode == asked.effort is None:
        return card.thinks is not False
    return asked.mode != "off" and asked.effort != "none"


def states(request: Request, name: str) -> bool:
    """Whether anything is asked under this name; nobody refuses a temperature of 1 or a free choice of tools."""
    value = getattr(request, name, None)
    if isinstance(value, ToolChoice):
        return value.mode in ("required", "tool")
    return value not in (None, ()) and (name, value) != ("temperature", 1)


def without(request: Request, keys: Mapping[str, str]) -> Request:
    return request.edit(**{name: () if isinstance(getattr(request, name), tuple) else None for name in keys.values()})
