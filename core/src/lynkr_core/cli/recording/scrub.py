"""Takes out of what was said with a provider whatever tells who said it: keys, accounts, cookies, ids of requests."""

from __future__ import annotations

import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

SHORTEST = 6
"""A secret of fewer characters is left in texts: it would be found in words that are none."""
FIELDS = (
    "request_id", "requestId", "x_request_id", "trace_id", "organization", "organization_id", "org_id", "account_id", "project_id",
    "user_id", "session_id", "email", "api_key", "access_token", "refresh_token", "id_token", "client_secret", "password", "cookie",
)  # fmt: skip
ANSWERED = ("content-type", "retry-after", "retry-after-ms", "x-should-retry")
TOLD = ("ratelimit", "rate-limit", "error")
"""Headers of answers that are kept: these, and those with such a word in their name; no other is."""
SENT = frozenset((
    b"content-type", b"content-length", b"accept", b"accept-encoding", b"user-agent", b"anthropic-version", b"anthropic-beta",
    b"openai-beta",
))  # fmt: skip
"""Headers of requests whose values are no secrets; those of all others are taken out wherever they stand."""
QUERIES = ("api-version", "alt", "beta")
PARTS = re.compile(r"[\s,;=/:&]+")
LONG = 16
OWN = re.compile(r"scrubbed-\d+")
NAMED_SO = re.compile("KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL")
SHAPES = re.compile(
    r"\b(?:sk|pk|rk|gsk|hf|xai|r8|pplx|fw|nvapi|csk|glpat|key)[-_][\w-]{12,}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{12,}|\bAIza[\w-]{20,}|\bgh[pousr]_\w{16,}|\bgithub_pat_\w{16,}|\bxox[a-z]-[\w-]{8,}"
    r"|\beyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?|\b[Bb]earer\s+[\w.~+/=-]{8,}"
    r"|\b(?:org|proj|acct|cust|user|req|request)[-_][A-Za-z0-9]{8,}"
    r"|(?<=:)\d{12}(?=:)"
    r"|-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----(?:[^-\"]|-(?!----))*(?:-----END [A-Z ]{0,40}PRIVATE KEY-----)?"
    r"|(?<=://)[^\s:/@\"'\\]{1,100}:[^\s/@\"'\\]{1,200}(?=@)"
    r"|\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b"
    r"""|[^\s"'\\,;:(){}<>*]{2,40}\*{3,}[^\s"'\\,;:(){}<>*]{0,40}"""
    r"|[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}"
)
"""What keys, accounts, ids of requests, tokens, masked keys and addresses look like."""
KEYS = re.compile(
    r"\b(?:sk|rk|gsk|nvapi|glpat)[-_][\w-]{16,}|\b(?:AKIA|ASIA)[A-Z0-9]{12,}|\bAIza[\w-]{20,}|\bgh[pousr]_\w{16,}|\bgithub_pat_\w{16,}"
    r"|\bxox[a-z]-[\w-]{8,}|\beyJ[\w-]{8,}\.[\w-]{4,}|-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----"
)
"""Of these, what is nothing but a secret: an answer that says one in pieces, which nobody can take out, is not kept."""


class Scrubber:
    """`known`: secrets, to be taken out in whatever way they are written. `fields`: names whose values are. What was the same stays the same.

    Each gets a name of its own, `scrubbed-1` and so on.
    """

    def __init__(self, known: Iterable[str] = (), fields: Iterable[str] = (), headers: Iterable[str] = ()) -> None:
        self.names: dict[str, str] = {}
        self.kept = (*ANSWERED, *[name.lower() for name in headers])
        self._forms: dict[str, str] = {}
        for value in known:
            self.know(value)
        words = "|".join(map(re.escape, (*FIELDS, *fields)))
        self._fields = re.compile(
            rf'("(?:{words})"\s*:\s*")((?:[^"\\]|\\.)+)|(\\"(?:{words})\\"\s*:\s*\\")([^"\\]+)|("(?:{words})"\s*:\s*)(\d+)'
        )

    def know(self, value: str) -> None:
        """One more secret."""
        value = value.strip()
        if len(value) >= SHORTEST and value not in self._forms:
            name = self.name(value)
            self._forms |= dict.fromkeys([form for form in forms(value) if len(form) >= SHORTEST], name)

    def heed(self, headers: Iterable[tuple[bytes, bytes]], url: str) -> None:
        """What a request says of who sends it: headers, the query, a password, and the host, which may be named after its owner."""
        for name, value in headers:
            if name.lower() not in SENT:
                text = value.decode("latin-1")
                self.know(text)
                self.know(text.partition(" ")[2])
                for part in PARTS.split(text):  # a signature names the key it was made with
                    self.know(part if len(part) >= LONG else "")
        parts = urlsplit(url)
        for name, value in parse_qsl(parts.query):
            if name not in QUERIES:
                self.know(value)
        for part in (parts.password, parts.username):
            self.know(part or "")
        if parts.hostname and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
            self.know(parts.hostname)

    def name(self, value: str) -> str:
        return self.names.setdefault(value, f"scrubbed-{len(self.names) + 1}")

    def text(self, text: str) -> str:
        """Without all that."""
        for form in sorted(self._forms, key=len, reverse=True):
            text = text.replace(form, self._forms[form])
        return SHAPES.sub(lambda found: self.name(found[0]), self._fields.sub(self._field, text))

    def _field(self, found: re.Match[str]) -> str:
        if found[5]:
            return found[5] + "1" * len(found[6])  # still a number of JSON
        start, value = (found[1], found[2]) if found[1] else (found[3], found[4])
        return start + (value if value in self.names.values() else self.name(value))

    def answered(self, headers: Mapping[bytes, bytes]) -> dict[str, str]:
        """The headers of an answer that may be told."""
        pairs = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers.items()}
        return {
            name: self.text(value) for name, value in pairs.items() if name in self.kept or any(word in name for word in TOLD)
        }

    def count(self, text: str) -> int:
        """How many names of its own stand in a text."""
        return len(set(OWN.findall(text)) & set(self.names.values()))

    def leaks(self, text: str) -> bool:
        """Whether a secret stands there still: one that is known, or a key by its looks."""
        return any(form in text for form in self._forms) or KEYS.search(text) is not None


def forms(value: str) -> Iterator[str]:
    """The ways to write a text: as it is, in JSON, in JSON within JSON, in a URL, in hexadecimal digits, in base64 beside whatever else."""
    yield value
    plain, wide = json.dumps(value, ensure_ascii=False)[1:-1], json.dumps(value)[1:-1]
    yield from (plain, wide, json.dumps(plain)[1:-1], quote(value, safe=""), quote(value), quote_plus(value))
    yield from (value.encode().hex(), value.encode().hex().upper())
    for encode in (b64encode, urlsafe_b64encode):
        for shift in range(3):  # what stands before it moves it by so many bytes
            coded = encode(b"\0" * shift + value.encode()).decode().rstrip("=")
            yield coded[(0, 2, 3)[shift] : len(coded) - (1 if (shift + len(value.encode())) % 3 else 0)]


def of_environment(environ: Mapping[str, str]) -> Iterator[str]:
    """Values of variables that are named like secrets."""
    yield from (value for name, value in environ.items() if NAMED_SO.search(name.upper()) and len(value) >= SHORTEST + 2)
