"""The suite for catalogues passes for a good one and fails for bad ones."""

import pytest

CATALOG = """
from lynkr_core.cards import ModelCard, Price, PriceTier
from lynkr_core.testing.contracts.catalog import CatalogContract

class Good:
    CARD = ModelCard(id="v/m1", operation="chat", refuses=frozenset(["image"]), refused={"stop_sequences": "stop"},
                     price=Price(input=1, output=2, tiers=(PriceTier(above=5, input=2, output=3),), source="here"))

    def card(self, provider, vendor, model):
        return self.CARD if (vendor, model) == ("v", "m1") else None

    def proposals(self, vendor):
        return {"simple": "m1"} if vendor == "v" else {}

class TestGood(CatalogContract):
    plugin = plugin_of(Good)
    known = (("v", "m1"),)
    tiered = ("v",)
"""


def test_a_good_catalogue_passes(run_suite):
    assert set(run_suite(CATALOG).results.values()) == {"passed"}


@pytest.mark.parametrize(
    ("good", "bad", "test"),
    [
        ('== ("v", "m1")', '== ("v", "m2")', "test_what_it_says_it_knows_has_a_card"),
        ('(vendor, model) == ("v", "m1")', 'model.startswith("m1")', "test_a_name_that_is_only_like_another_has_none"),
        ('(vendor, model) == ("v", "m1")', 'model == "m1"', "test_a_model_of_another_vendor_has_none"),
        ('"stop"}', '"stop_sequences"}', "test_a_card_contradicts_neither_itself_nor_the_internal_model"),
        ("refuses=", 'takes=frozenset(["image"]), refuses=', "test_a_card_contradicts_neither_itself_nor_the_internal_model"),
        (', source="here"', "", "test_a_price_says_where_it_is_from_and_is_for_a_million_tokens"),
        ('"simple": "m1"', '"simple": "m3"', "test_it_knows_what_it_proposes"),
        ('"simple": "m1"', '"cheap": "m1"', "test_it_knows_what_it_proposes"),
        (
            "return self.CARD",
            "socket.create_connection(('127.0.0.1', 9)); return self.CARD",
            "test_looking_up_what_was_looked_up_does_no_io",
        ),
    ],
)
def test_a_bad_catalogue_fails(run_suite, good, bad, test):
    assert good in CATALOG
    assert test in run_suite(CATALOG.replace(good, bad), test).failed
