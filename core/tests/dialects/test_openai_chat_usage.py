import json

import pytest

from lynkr_core.dialects.openai_chat.usage import read_usage
from lynkr_core.exchange import Price
from lynkr_core.pricing import cost
from lynkr_core.request import Usage

COUNTS = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


@pytest.mark.parametrize(
    ("told", "billed"),
    [
        (0.0042, 0.0042),
        (0, 0.0),
        ({"total_cost": 0.006, "request_cost": 0.005}, 0.006),
        ({"input": 1}, None),
        (None, None),
        ("much", None),
        (True, None),
        (-1, None),
    ],
)
def test_what_the_provider_bills_is_read_where_it_is_a_number(told, billed):
    usage = read_usage(json.dumps({"usage": {**COUNTS, "cost": told}}).encode())
    assert (usage.input_tokens, usage.output_tokens, usage.billed) == (10, 5, billed)


def test_what_the_provider_bills_goes_before_the_price_table():
    price = Price(input=1_000_000, output=0)
    assert cost(Usage(input_tokens=1), price) == 1.0
    assert cost(Usage(input_tokens=1, billed=0.25), price) == 0.25
    assert cost(Usage(input_tokens=1, billed=0.0), None) == 0.0
