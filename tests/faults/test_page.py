"""The page says what the tests assert."""

from .page import PAGE, text


def test_the_page_is_fresh():
    assert PAGE.read_text() == text(), "python -m tests.faults writes it"
