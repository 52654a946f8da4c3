"""The `x-lynkr-*` response headers: what every answer says about itself."""

from __future__ import annotations

from datetime import date
from functools import lru_cache

from lynkr_core.caller import PAIR, HeaderItems
from lynkr_core.errors import AllFailed, GatewayError
from lynkr_core.exchange import Attempt, Candidate, Exchange
from lynkr_core.inner import costs
from lynkr_core.pricing import cost

MAX_VALUE = 500
LONG_WAIT = 60.0
"""Seconds of a `retry-after` beyond which the SDKs come back at once instead."""


def response_headers(exchange: Exchange, content_type: bytes, attempt: Attempt | None) -> HeaderItems:
    """Of a provider's answer. `attempt` when its usage is already known."""
    headers = common(exchange, (b"content-type", content_type))
    if attempt is not None:
        inner = exchange.inner
        spent = costs((*inner.rounds, attempt)) if inner else cost(attempt.usage, attempt.candidate.price)
        if spent is not None:
            headers.append((b"x-lynkr-cost-usd", b"%.9f" % spent))
    return headers


def reply_headers(exchange: Exchange) -> HeaderItems:
    """Of an answer given without a provider."""
    reply = exchange.reply
    assert reply is not None
    headers = common(exchange, *reply.headers)
    if reply.reason:
        headers.append((b"x-lynkr-reason", ascii_value(reply.reason)))
    return headers


def failure_headers(exchange: Exchange, error: GatewayError) -> HeaderItems:
    """Of an error. Failures that lynkr has retried already say so, or the SDKs would multiply the load; so do those that last."""
    headers = common(exchange, (b"content-type", b"application/json"))
    if error.retry_after is not None:
        headers.append((b"retry-after", b"%d" % max(1, round(error.retry_after))))
    if isinstance(error, AllFailed) or (error.retry_after or 0.0) > LONG_WAIT:
        headers.append((b"x-should-retry", b"false"))
    return headers


def common(exchange: Exchange, *first: tuple[bytes, bytes]) -> HeaderItems:
    id = exchange.id.encode()
    served = exchange.chosen or (exchange.attempts[-1].candidate if exchange.attempts else None)
    selection, score = exchange.selection, exchange.score
    reason = selection.reason if selection else ""
    rounded = None if score is None else round(score)
    lines = told(
        exchange.config, len(exchange.attempts), exchange.cache, exchange.saved_tokens, served, exchange.tier, rounded, reason
    )
    headers: HeaderItems = [*first, (exchange.dialect.id_header, id), (b"x-lynkr-request-id", id), lines]
    warning = served.card.warning(date.today()) if served and served.card and served.card.ends else None
    if warning:
        headers.append((b"x-lynkr-warning", ascii_value(warning)))
    if exchange.instead:
        headers.append((b"x-lynkr-asked", ascii_value(exchange.asked)))
    if selection and selection.notes:
        headers += [(b"x-lynkr-" + name.encode(), ascii_value(text)) for name, text in selection.notes.items()]
    if exchange.losses:
        headers.append((b"x-lynkr-losses", losses_value(tuple(exchange.losses))))
    return headers


@lru_cache(maxsize=1024)
def losses_value(losses: tuple[str, ...]) -> bytes:
    """As many as fit, and how many more there are; the journal has them all."""
    whole = "; ".join(losses)
    if len(whole) <= MAX_VALUE:
        return ascii_value(whole)
    kept, room = 0, MAX_VALUE - len("... and 1000 more")
    while room >= len(losses[kept]) + 2:
        room -= len(losses[kept]) + 2
        kept += 1
    return ascii_value("; ".join([*losses[:kept], f"... and {len(losses) - kept} more"]))


@lru_cache(maxsize=4096)
def told(
    config: str, attempts: int, cache: str, saved: int, served: Candidate | None, tier: str | None, score: int | None, reason: str,
) -> tuple[bytes]:  # fmt: skip
    """What many answers have in common, written out; looking it up costs a tenth of making it."""
    headers = [
        (b"x-lynkr-attempts", b"%d" % attempts),
        (b"x-lynkr-cache", cache.encode()),
        (b"x-lynkr-saved-tokens", b"%d" % saved),
    ]
    if config:
        headers.append((b"x-lynkr-config", config.encode()))
    if served is not None:
        headers += [(b"x-lynkr-provider", ascii_value(served.provider.name)), (b"x-lynkr-model", ascii_value(served.model))]
    if tier is not None:
        headers.append((b"x-lynkr-tier", tier.encode()))
    if score is not None:
        headers.append((b"x-lynkr-score", b"%d" % score))
    if reason:
        headers.append((b"x-lynkr-reason", ascii_value(reason)))
    return (b"\r\n".join(map(PAIR, headers)),)


@lru_cache(maxsize=1024)
def ascii_value(text: str) -> bytes:
    """Text as a header value: printable ASCII, line ends and everything else as `?`, at most 500 bytes."""
    visible = "".join([c if " " <= c <= "~" else "?" for c in text[:MAX_VALUE]])
    return visible.encode("ascii")
