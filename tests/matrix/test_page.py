"""The page in the documentation says what the tests hold."""

from .page import PAGE, page


def test_the_page_of_the_dialects_is_fresh():
    assert PAGE.read_text() == page(), "`python -m matrix` in tests/ writes it"
