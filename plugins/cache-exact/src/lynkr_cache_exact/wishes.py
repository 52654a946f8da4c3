"""What a caller wants of caches: `x-lynkr-cache: no-store`, `no-cache`, `max-age=60`, `on`; `cache-control` has the first three too."""

from __future__ import annotations

from functools import lru_cache

from msgspec import Struct

from lynkr_core.exchange import Exchange

MAX_DIGITS = 9
MAX_TAGS = 8
MAX_TAG = 64


class Wishes(Struct, frozen=True):
    """`look`: an answer may come from a cache; `keep`: this one may go there. `insists`: whatever the temperature."""

    look: bool = True
    keep: bool = True
    insists: bool = False
    max_age: float | None = None


def wishes(exchange: Exchange) -> Wishes:
    headers = exchange.headers
    own, common = headers.get(b"x-lynkr-cache", b""), headers.get(b"cache-control", b"")
    return read(own + b"," + common) if own or common else Wishes()


@lru_cache(maxsize=256)
def read(text: bytes) -> Wishes:
    """Whatever is not known is left out: no header can ask for more than the configuration gives."""
    words = {word.strip().lower() for word in text.decode("latin-1").split(",")}
    ages = [word[8:] for word in words if word.startswith("max-age=")]
    max_age = min([float(age) for age in ages if age.isascii() and age.isdigit() and len(age) <= MAX_DIGITS], default=None)
    stored = "no-store" not in words and "off" not in words
    return Wishes(look=stored and "no-cache" not in words, keep=stored, insists="on" in words, max_age=max_age)


def tags(exchange: Exchange) -> tuple[str, ...]:
    """By which an answer can be purged: what the header says, and the caller's own."""
    said = [tag.strip()[:MAX_TAG] for tag in exchange.header(b"x-lynkr-cache-tag").split(",")]
    return tuple(dict.fromkeys([*[tag for tag in said if tag][:MAX_TAGS], *exchange.principal.tags]))
