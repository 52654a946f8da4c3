"""Classes of callers: which models each may use, and what serves it instead of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct, structs

from lynkr_core.candidates import TIERS, Tiers
from lynkr_core.errors import Forbidden
from lynkr_core.exchange import Candidate, Exchange, Key, Reject
from lynkr_core.plugins import Context, Plugin

__all__ = ["Access", "Class", "Config", "plugin"]

MAX_NAME = 120
"""Characters of an agent's name that are kept of a header."""
REMEMBERED = 10_000
DOWNGRADED: Key[str] = Key("access.downgraded")


class Metadata(Struct):
    user_id: str | None = None


_text = msgspec.json.Decoder(str)
_metadata = msgspec.json.Decoder(Metadata)


class Class(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """`[policy.access.classes.NAME]`. Without models and tiers it may use everything."""

    models: Annotated[list[str], Meta(description="Patterns of `provider/model` that it may use.")] = []
    tiers: Annotated[list[str], Meta(description="Tiers whose models it may use.")] = []
    instead: Annotated[
        str | None,
        Meta(description="What serves it when it asks for others: a tier, alias or `provider/model`; else its dearest tier."),
    ] = None
    refuse: Annotated[bool, Meta(description="Refuse with 403 when it asks for others.")] = False
    local_only: Annotated[bool, Meta(description="Whether nothing of it may leave your own machines.")] = False

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.tiers) - set(TIERS)):
            raise ValueError(f"no tiers: {', '.join(unknown)}; there are {', '.join(TIERS)}")

    @property
    def downgrade(self) -> str:
        """Empty when there is none."""
        dearest = next((name for name in reversed(TIERS) if name in self.tiers), "")
        return "" if self.refuse else self.instead or dearest


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[policy.access]`"""

    classes: Annotated[dict[str, Class], Meta(description="What each class may use.")] = {}
    default: Annotated[str | None, Meta(description="The class of callers that nothing else says anything of.")] = None
    keys: Annotated[dict[str, str], Meta(description="The class of a key, by its name; the key's own class goes before.")] = {}
    agents: Annotated[dict[str, str], Meta(description="The class of an agent, for keys that have none.")] = {}
    header: Annotated[str, Meta(description="The header in which a caller says which agent it is.")] = "x-lynkr-agent"

    def __post_init__(self) -> None:
        named = {*self.keys.values(), *self.agents.values(), *([self.default] if self.default else [])}
        if unknown := sorted(named - self.classes.keys()):
            raise ValueError(f"no classes: {', '.join(unknown)}")


class Access:
    """The key says who is calling; what it leaves open a header or the request may say."""

    def __init__(self, config: Config, context: Context) -> None:
        self.config = config
        self.tiers: Tiers = context.tiers
        self.served: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self._header = config.header.lower().encode("latin-1")
        self._downgrades = {name: one.downgrade for name, one in config.classes.items()}
        self._may: dict[tuple[str, Candidate], bool] = {}

    def pre_route(self, exchange: Exchange) -> None:
        """Who is calling gets its agent and class."""
        who = exchange.principal
        agent = who.agent or self._agent(exchange)
        name = self._class(who.principal_class, who.key, agent)
        if agent != who.agent or name != who.principal_class:
            exchange.principal = structs.replace(who, agent=agent, principal_class=name)
        if name is not None and self.config.classes[name].local_only:
            exchange.local_only = exchange.local_only or f"the class {name}"

    def _agent(self, exchange: Exchange) -> str | None:
        """By the header; by the request's user where that is an agent's name."""
        told = exchange.headers.get(self._header)
        if told:
            return told.decode("latin-1")[:MAX_NAME]
        user = named_user(exchange.envelope.fields) if self.config.agents else None
        return user if user in self.config.agents else None

    def _class(self, own: str | None, key: str | None, agent: str | None) -> str | None:
        """A class that a key has is not the caller's to choose. One that nobody described is the default one."""
        if own is None and key is not None:
            own = self.config.keys.get(key)
        if own is not None:
            return own if own in self.config.classes else self.config.default
        return self.config.agents.get(agent or "", self.config.default)

    def reserve(self, exchange: Exchange, candidate: Candidate) -> Reject | None:
        name = exchange.principal.principal_class
        if name not in self.config.classes:
            return None
        if self.may(name, candidate):
            self.served[name] += 1
            why = exchange.get(DOWNGRADED)
            if why is not None and exchange.selection is not None:
                exchange.selection = structs.replace(exchange.selection, notes={**exchange.selection.notes, "downgraded": why})
            return None
        self.refused[name] += 1
        instead = self._downgrades[name]
        if instead and exchange.get(DOWNGRADED) is None and instead != exchange.asked:
            exchange.set(DOWNGRADED, f"{candidate.id} is not for the class {name}")
            exchange.instead = instead
        return Reject(Forbidden(f"{candidate.id} is not for the class {name}", code="model_not_allowed", param="model"))

    def may(self, name: str, candidate: Candidate) -> bool:
        key = (name, candidate)
        known = self._may.get(key)
        if known is None:
            if len(self._may) >= REMEMBERED:
                self._may.clear()
            known = self._may[key] = allowed(self.config.classes[name], candidate, self.tiers)
        return known

    def status(self) -> Mapping[str, Any]:
        return {"served": dict(self.served), "refused": dict(self.refused)}


def allowed(one: Class, candidate: Candidate, tiers: Tiers) -> bool:
    if not one.models and not one.tiers:
        return True
    if any(fnmatchcase(candidate.id, pattern) for pattern in one.models):
        return True
    return any(candidate in tiers.candidates(name) for name in one.tiers)


def named_user(fields: Mapping[str, Raw]) -> str | None:
    """The user that a body names, as any of the APIs spells it."""
    try:
        if "user" in fields:
            return _text.decode(fields["user"])
        if "metadata" in fields:
            return _metadata.decode(fields["metadata"]).user_id
    except msgspec.MsgspecError:  # whoever reads the whole request says what is wrong with it
        pass
    return None


plugin = Plugin(api=1, config=Config, create=Access)
