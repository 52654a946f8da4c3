"""`python -m tests.faults` writes the page."""

from .page import PAGE, text

PAGE.write_text(text())
