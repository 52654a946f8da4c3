"""The page's own files: a fixed list, read once, from this package only."""

from __future__ import annotations

import gzip
from functools import cache
from hashlib import blake2b
from importlib.resources import files
from typing import NamedTuple

from lynkr_core.dialect import Headers
from lynkr_core.exchange import Reply
from lynkr_core.process import PAGE_HEADERS

TYPES = {
    "css": b"text/css; charset=utf-8", "html": b"text/html; charset=utf-8", "js": b"text/javascript; charset=utf-8",
    "svg": b"image/svg+xml",
}  # fmt: skip
KEPT = frozenset({b"content-type", b"cache-control"})
GUARDS = tuple([(name, value) for name, value in PAGE_HEADERS if name not in KEPT])


class Asset(NamedTuple):
    type: bytes
    tag: bytes
    body: bytes
    zipped: bytes


@cache
def assets() -> dict[str, Asset]:
    """Every file by its path below `/dashboard/`."""
    root = files("lynkr_extension_dashboard") / "assets"
    places = [
        (f"{folder}{file.name}", file) for folder, place in (("", root), ("vendor/", root / "vendor")) for file in place.iterdir()
    ]
    return {name: asset(name, file.read_bytes()) for name, file in places if file.is_file() and name.rpartition(".")[2] in TYPES}


def asset(name: str, body: bytes) -> Asset:
    tag = b'"' + blake2b(body, digest_size=12).hexdigest().encode() + b'"'
    return Asset(TYPES[name.rpartition(".")[2]], tag, body, gzip.compress(body, 9, mtime=0))


def served(name: str, headers: Headers) -> Reply:
    """The file; 304 when the browser has it already, 404 when there is none."""
    found = assets().get(name)
    if found is None:
        return Reply(status=404, body=b"there is no such file\n", headers=(*GUARDS, (b"content-type", b"text/plain")))
    own = [(b"content-type", found.type), (b"cache-control", b"no-cache"), (b"etag", found.tag), (b"vary", b"accept-encoding")]
    if headers.get(b"if-none-match") == found.tag:
        return Reply(status=304, headers=(*GUARDS, *own))
    if b"gzip" in headers.get(b"accept-encoding", b""):
        return Reply(body=found.zipped, headers=(*GUARDS, *own, (b"content-encoding", b"gzip")))
    return Reply(body=found.body, headers=(*GUARDS, *own))
