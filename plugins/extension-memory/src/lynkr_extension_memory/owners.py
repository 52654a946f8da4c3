"""Whose memory it is: the caller's, never anybody else's."""

from __future__ import annotations

from lynkr_core.exchange import ANONYMOUS, Exchange, Principal
from lynkr_core.sessions import Session, digest

EVERYWHERE = "all"


def is_known(principal: Principal) -> bool:
    return principal.id != ANONYMOUS.id


def owner_of(principal: Principal, by_user: bool) -> str:
    """`by_user`: all keys of a user of one team have one memory; without a user a key has its own."""
    if by_user and principal.user:
        return digest("\0".join(("user", principal.team or "", principal.user)))
    return digest(f"id\0{principal.id}")


def name_of(principal: Principal, by_user: bool) -> str:
    """What an operator sees."""
    if by_user and principal.user:
        return f"user:{principal.team}/{principal.user}" if principal.team else f"user:{principal.user}"
    return principal.id


def side(exchange: Exchange) -> str:
    """What was said where nothing may leave the operator's machines is recalled only there."""
    return "local-" if exchange.local_only else ""


def room_of(exchange: Exchange, session: Session, by_user: bool) -> str:
    return side(exchange) + (EVERYWHERE if by_user else digest(session.id))


def talk_of(exchange: Exchange, session: Session) -> str:
    """One conversation of a session."""
    return side(exchange) + digest(f"{session.id}\0{session.thread}")
