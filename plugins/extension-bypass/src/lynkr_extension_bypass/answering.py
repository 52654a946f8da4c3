"""The answer to a request that needs no model, as its caller's API writes it: whole or streamed, with nothing billed."""

from __future__ import annotations

import re
from string import Template

import msgspec

from lynkr_core.events import Delta, End, Event, Finish, PartEnd, PartStart, Start, UsageEvent
from lynkr_core.exchange import Exchange, Reply
from lynkr_core.request import Choice, Response, Text, Usage
from lynkr_extension_bypass.rules import Rule

LONGEST_TITLE = 60
READ = 2_000
"""Characters of a user's text that are looked at for a title."""
NOTHING = Usage()
_elements = re.compile(r"<[^<>]{0,100}>|```[^`]{0,1000}```|[`*_#>]+")


def title(text: str, words: int) -> str:
    """The first words, without markup, never cut inside one; empty when there are none."""
    found = _elements.sub(" ", text[:READ]).split()[:words]
    while len(found) > 1 and len(" ".join(found)) > LONGEST_TITLE:
        found.pop()
    line = " ".join(found)[:LONGEST_TITLE].rstrip(" .,:;!?-")
    return line[:1].upper() + line[1:] if any(c.isalnum() for c in line) else ""


def answer(rule: Rule, source: str) -> str | None:
    """What is answered; None when it needs a title and the text is good for none."""
    if not rule.titled:
        return rule.answer
    line = title(source, rule.words)
    told = {"title": line, "json_title": msgspec.json.encode(line).decode()}
    return Template(rule.answer).safe_substitute(told) if line else None


def reply(exchange: Exchange, rule: Rule, text: str) -> Reply:
    """Raises nothing that the dialect does not raise for any answer."""
    request, dialect = exchange.request, exchange.dialect
    said = Response(
        dialect=dialect.name, id=exchange.id, model=exchange.envelope.model, created=int(exchange.created), usage=NOTHING,
        choices=(Choice(parts=(Text(text=text),), finish_reason=rule.finish),),
    )  # fmt: skip
    reason = f"bypass {rule.name}: {rule.what}" if rule.what else f"bypass {rule.name}"
    if not exchange.envelope.stream:
        return Reply(body=dialect.encode_response(said, request), reason=reason)
    encoder = dialect.encoder(request, exchange.envelope, 0)
    body = b"".join([encoder.encode(event) for event in events(said, text)])
    return Reply(body=body, headers=((b"content-type", dialect.content_type),), reason=reason)


def events(said: Response, text: str) -> list[Event]:
    start = Start(id=said.id, model=said.model, created=said.created, usage=NOTHING)
    part = [PartStart(0, Text(text="")), Delta(0, text), PartEnd(0)]
    return [start, *part, Finish(said.choices[0].finish_reason), UsageEvent(NOTHING), End()]
