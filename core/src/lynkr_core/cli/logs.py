"""What lynkr says of itself on standard error: lines for people, or one JSON object a line for programs."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Literal

import msgspec

from lynkr_core.remarks import CURRENT

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
encode = msgspec.json.Encoder().encode


class JsonLines(logging.Formatter):
    """`time` in UTC, `level`, `logger`, `message`; `request` while one is served, with which the journal and answers name it; `trace`."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        told = {
            "time": at.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        request = CURRENT.get()
        if request:
            told["request"] = request
        if record.exc_info:
            told["trace"] = self.formatException(record.exc_info)
        return encode({name: text.encode("utf-8", "replace").decode() for name, text in told.items()}).decode()


def log_lines(form: Literal["text", "json"] = "text") -> None:
    """Has everything that is logged written in this form, whatever was said before."""
    logging.basicConfig(level=logging.INFO, format=FORMAT, force=True)
    if form == "json":
        for handler in logging.getLogger().handlers:
            handler.setFormatter(JsonLines())
    logging.getLogger("watchfiles").setLevel(logging.WARNING)  # it tells of each change in the folder, such as the journal's
