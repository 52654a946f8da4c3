"""What every catalogue must keep to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import ClassVar

import pytest
from msgspec import structs

from lynkr_core.candidates import TIERS
from lynkr_core.cards import Catalogue, ModelCard
from lynkr_core.request import Request
from lynkr_core.testing.calls import no_io
from lynkr_core.testing.contracts.base import Contract

PARAMETERS = {field.name for field in structs.fields(Request)}


class CatalogContract(Contract):
    """`known`: a vendor and a model, of which the catalogue has a card, for each kind of row; `tiered`: vendors with proposals."""

    kind = "catalog"
    known: ClassVar[Sequence[tuple[str, str]]] = ()
    tiered: ClassVar[Sequence[str]] = ()

    @pytest.fixture
    def catalogue(self, tmp_path: Path) -> Catalogue:
        return self.make(tmp_path)

    def card(self, catalogue: Catalogue, vendor: str, model: str) -> ModelCard:
        found = catalogue.card("mine", vendor, model)
        assert found is not None, f"{vendor}/{model}"
        return found

    def test_what_it_says_it_knows_has_a_card(self, catalogue: Catalogue) -> None:
        assert self.known
        for vendor, model in self.known:
            assert model in self.card(catalogue, vendor, model).id

    def test_a_name_that_is_only_like_another_has_none(self, catalogue: Catalogue) -> None:
        for vendor, model in self.known:
            for name in (model[:-1], f"{model}-", f"{model}-2099-01-01", model.upper() + "x", f" {model}", f"x/{model}", ""):
                assert catalogue.card("mine", vendor, name) is None, name

    def test_a_model_of_another_vendor_has_none(self, catalogue: Catalogue) -> None:
        for _, model in self.known:
            assert catalogue.card("mine", "", model) is None
            assert catalogue.card("mine", "no such vendor", model) is None

    def test_a_card_contradicts_neither_itself_nor_the_internal_model(self, catalogue: Catalogue) -> None:
        for vendor, model in self.known:
            card = self.card(catalogue, vendor, model)
            assert not card.takes & card.refuses
            assert {*card.refused.values(), *card.refused_thinking.values()} <= PARAMETERS
            assert all(value is None or value > 0 for value in (card.context_window, card.max_output, card.dimensions))
            assert card.operation in ("chat", "embeddings", None)
            assert card.ends is None or card.ends > date(2020, 1, 1)

    def test_a_price_says_where_it_is_from_and_is_for_a_million_tokens(self, catalogue: Catalogue) -> None:
        for vendor, model in self.known:
            price = self.card(catalogue, vendor, model).price
            if price is not None:
                assert price.source != "lynkr.toml"
                assert 0 <= price.input <= 1000
                assert 0 <= price.output <= 2000
                assert [tier.above for tier in price.tiers] == sorted({tier.above for tier in price.tiers})

    def test_it_knows_what_it_proposes(self, catalogue: Catalogue) -> None:
        for vendor in self.tiered:
            proposed = catalogue.proposals(vendor)
            assert set(proposed) <= set(TIERS)
            for model in proposed.values():
                assert self.card(catalogue, vendor, model).operation == "chat"
        assert catalogue.proposals("no such vendor") == {}

    def test_looking_up_what_was_looked_up_does_no_io(self, catalogue: Catalogue) -> None:
        for vendor, model in self.known:
            self.card(catalogue, vendor, model)
        with no_io():
            for vendor, model in self.known:
                self.card(catalogue, vendor, model)
