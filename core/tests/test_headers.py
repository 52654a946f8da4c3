"""What the response headers say when there is much to say."""

import pytest

from lynkr_core.headers import MAX_VALUE, losses_value


def test_few_losses_stand_in_full():
    assert losses_value(("seed: no such parameter", "n: ünlucky")) == b"seed: no such parameter; n: ?nlucky"


@pytest.mark.parametrize("length", [3, 40, 300, 600])
def test_of_many_losses_it_says_how_many_more_there_are(length):
    losses = tuple([f"{n}: {'x' * length}" for n in range(300)])
    value = losses_value(losses).decode()
    kept = value.count("x; ")
    assert len(value) <= MAX_VALUE
    assert value.endswith(f"... and {300 - kept} more")
