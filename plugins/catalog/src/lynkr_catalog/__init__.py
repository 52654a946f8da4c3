"""What is known of 3,600 models, from one file inside this package. Made by `build.py`; nothing is asked of the network."""

from __future__ import annotations

import tomllib
import zlib
from collections.abc import Mapping
from datetime import date
from importlib.resources import files
from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct, structs

from lynkr_core.cards import ModelCard
from lynkr_core.errors import PluginError
from lynkr_core.plugins import Plugin

__all__ = ["Config", "PackagedCatalogue", "plugin"]

Rows = dict[str, Raw]
_rows = msgspec.json.Decoder(Rows)
_card = msgspec.json.Decoder(ModelCard)


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[catalog.default]`"""

    aliases: Annotated[
        dict[str, str],
        Meta(description="What a model of yours is: `provider/model` or a bare model, and the `vendor/model` of its card."),
    ] = {}
    ignore: Annotated[
        list[str], Meta(description="Models, as `provider/model` or bare, whose card is wrong: they have none.")
    ] = []


class Packed(Struct):
    """The file: each vendor's models as compressed JSON, of which only those of enabled providers are ever read."""

    version: str
    dated: date
    vendors: dict[str, bytes]


class PackagedCatalogue:
    """The cards of the packaged file. Each vendor is read when first asked for."""

    def __init__(self, config: Config) -> None:
        """Raises `PluginError` for an alias of a card that there is not."""
        packed = msgspec.msgpack.decode((files(__name__) / "models.bin").read_bytes(), type=Packed)
        self.version = packed.version
        self.dated = packed.dated
        self._packed = packed.vendors
        self._vendors: dict[str, Rows] = {}
        self._aliases = config.aliases
        self._ignored = frozenset(config.ignore)
        for name, id in config.aliases.items():
            if self.find(*id.split("/", 1)) is None:
                raise PluginError(f"$.aliases.{name}: the catalogue has no {id!r}; write vendor/model, as in openai/gpt-5.6-sol")

    def card(self, provider: str, vendor: str, model: str) -> ModelCard | None:
        """What is declared for this model, else the vendor's model of exactly this name, else None. Never by a part of a name."""
        names = (f"{provider}/{model}", model)
        if not self._ignored.isdisjoint(names):
            return None
        declared = next((self._aliases[name] for name in names if name in self._aliases), None)
        if declared is not None:
            return self.find(*declared.split("/", 1))
        return self.find(vendor, model) or self.find(vendor, model.removeprefix(f"{vendor}/")) if vendor else None

    def find(self, vendor: str, model: str = "") -> ModelCard | None:
        """The card of one vendor's model."""
        row = self.models(vendor).get(model)
        if row is None:
            return None
        id = f"{vendor}/{model}"
        card = _card.decode(row)
        price = card.price and structs.replace(card.price, source=f"litellm {self.version}: {id}", dated=self.dated)
        return structs.replace(card, id=id, price=price)

    def models(self, vendor: str) -> Mapping[str, Raw]:
        """A vendor's models, their cards undecoded; none of a vendor that is not known."""
        if vendor not in self._vendors and vendor in self._packed:
            self._vendors[vendor] = _rows.decode(zlib.decompress(self._packed[vendor]))
        return self._vendors.get(vendor, {})

    @property
    def vendors(self) -> tuple[str, ...]:
        return tuple(self._packed)

    def proposals(self, vendor: str) -> Mapping[str, str]:
        """A model for each tier, of those that this catalogue has; none for a vendor of which nothing is proposed."""
        proposed = tomllib.loads((files(__name__) / "proposals.toml").read_text(encoding="utf-8"))
        return {tier: model for tier, model in proposed.get(vendor, {}).items() if model in self.models(vendor)}


plugin = Plugin(api=1, config=Config, create=PackagedCatalogue)
