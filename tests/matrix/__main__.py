"""Writes core/docs/dialects.md."""

from .page import PAGE, page

PAGE.write_text(page())
