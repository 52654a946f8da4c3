"""What a pattern alone cannot tell: check digits, dates, entropy, and values that only stand for one."""

from __future__ import annotations

import math
from base64 import urlsafe_b64decode
from collections import Counter
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

import msgspec
import phonenumbers
from stdnum import iban as stdnum_iban
from stdnum import luhn

from lynkr_policy_guardrails.engine import Pattern, any_of, cases, compiled
from lynkr_policy_guardrails.standins import CODE, HARMLESS, HEX, KEYS, SAMPLES, STANDS_FOR, UUID, WORDS


class Place(NamedTuple):
    """Where a value was found: `text[start:end]`. `near`: whether a word of its rule stands by. `regions`: whose national forms count."""

    text: bytes
    start: int
    end: int
    near: bool
    regions: tuple[str, ...]

    @property
    def value(self) -> bytes:
        return self.text[self.start : self.end]

    def before(self, count: int) -> bytes:
        return self.text[max(0, self.start - count) : self.start]


Check = Callable[[Place], bool]
_separators = b" .-/()"


def entropy(value: bytes) -> float:
    """Bits for each character, by how often each occurs."""
    size = len(value)
    return -sum(count / size * math.log2(count / size) for count in Counter(value).values())


def is_whole(place: Place) -> bool:
    """Whether a number stands alone: not in a version, a path, a UUID or a longer name."""
    text, start, end = place.text, place.start, place.end
    before, after = text[max(0, start - 2) : start], text[end : end + 2]
    joined = len(before) == 2 and before[1:] in b".,-/_#:" and (before[:1].isalnum() or before[1:] in b"_#")
    return not (joined and before != b": ") and not (len(after) == 2 and after[:1] in b".,-/_:" and after[1:].isalnum())


def mixed(place: Place) -> bool:
    """Letters and digits, at random, and nothing that only stands for a key."""
    value = place.value
    return not STANDS_FOR.search(value) and entropy(value) >= 2.8 and any(byte in b"0123456789" for byte in value)


def real(place: Place) -> bool:
    """Nothing that only stands for a key."""
    return place.value not in SAMPLES and not STANDS_FOR.search(place.value)


def generic(place: Place) -> bool:
    """A value after a word such as token that no program has a name for."""
    value = place.value.rstrip(b".-~")
    word, before = _lead(place)
    if word.startswith(b"key") and not KEYS.search(before):
        return False
    if HARMLESS.search(before) or len(value) < 16 or STANDS_FOR.search(value) or CODE.match(value):
        return False
    if not is_word_end(place):
        return False
    if UUID.fullmatch(value) or HEX.fullmatch(value):
        return len(value) >= 32 and entropy(value) >= 2.8 and word.startswith((b"key", b"secret", b"token", b"bearer"))
    digits = sum(byte in b"0123456789" for byte in value)
    least = 3.0 if len(value) < 24 else 3.3
    return digits >= 2 and digits < len(value) and entropy(value) >= least and not _reads(value)


def is_word_end(place: Place) -> bool:
    """A value that goes on as a call or an index is code."""
    return place.text[place.end : place.end + 1] not in (b"(", b"[", b"{", b"<")


def _lead(place: Place) -> tuple[bytes, bytes]:
    """The last of the words that speak of a secret before the value, and what stands before that."""
    text = place.before(100).lower()
    at = max([(text.rfind(word), word) for word in LEADS], default=(-1, b""))
    return (text[at[0] :], text[max(0, at[0] - 16) : at[0]]) if at[0] >= 0 else (b"", b"")


LEADS = (b"key", b"secret", b"token", b"credential", b"bearer", b"authorization")


def _reads(value: bytes) -> bool:
    """Names of several words, as `user-profile-page-v2`: parts that are all letters or all digits."""
    parts = value.replace(b"_", b"-").replace(b".", b"-").replace(b"/", b"-").split(b"-")
    plain = [
        part
        for part in parts
        if part.isalpha() or (part.isdigit() and len(part) < 5) or (part[:1] in b"vV" and part[1:].isdigit())
    ]
    return len(parts) > 1 and len(plain) == len(parts)


def password(place: Place) -> bool:
    """No word that stands there by nature, no expression, and more than letters."""
    value = place.value.rstrip(b".,;:!?)]}")
    if len(value) < 6 or WORDS.fullmatch(value) or STANDS_FOR.search(value) or CODE.match(value) or not is_word_end(place):
        return False
    letters = sum(bytes((byte,)).isalpha() for byte in value)
    return letters < len(value) and len(set(value)) > 3 and (letters > 0 or len(value) > 7)


def jwt(place: Place) -> bool:
    """Three parts of which the first says how the others are signed."""
    head = place.value.split(b".", 1)[0]
    try:
        header: Any = msgspec.json.decode(urlsafe_b64decode(head + b"=" * (-len(head) % 4)))
    except (ValueError, msgspec.DecodeError):
        return False
    return isinstance(header, dict) and "alg" in header


NOBODY = compiled(
    r"(?i).*@(?:.*\.)?(?:example\.(?:com|org|net|edu)|[a-z0-9\-.]*\.(?:example|test|invalid|local|localhost|png|jpe?g|gif|svg|webp|js|css|py|ts))"
    r"|(?:git|noreply|no-reply|donotreply|do-not-reply|mailer-daemon|postmaster)@.*|.*@(?:users\.noreply\.github\.com|[0-9.]+)"
)
"""Addresses that are kept for examples, of machines, and what only looks like one: `icon@2x.png`."""


def email(place: Place) -> bool:
    value = place.value
    return (
        not NOBODY.fullmatch(value)
        and b".." not in value
        and place.text[place.end : place.end + 1] not in (b":", b"(", b"/")
        and (b"://" not in place.before(80).rpartition(b" ")[2])
    )


def digits_of(value: bytes) -> bytes:
    return value.translate(None, _separators)


def phone(place: Place) -> bool:
    """An international number that can be one; a national one of a region, where a word says so or it is written as one."""
    value, digits = place.value, digits_of(place.value).lstrip(b"+")
    if not is_whole(place) or len(set(digits)) < 4 or value.count(b"(") != value.count(b")") or FICTION.search(digits):
        return False
    if value.startswith(b"+"):
        return _possible(value.decode("ascii"), None)
    if value.startswith(b"00") and _possible("+" + value[2:].decode("ascii"), None):
        return place.near
    if DATE.match(value) or not (place.near or AMERICAN.fullmatch(value)):
        return False
    regions = place.regions if place.near else tuple([one for one in place.regions if one in ("US", "CA")])
    return any(_possible(value.decode("ascii"), region) for region in regions)


FICTION = compiled(r"\A1?[2-9][0-9]{2}55501[0-9]{2}\z|\A44(?:1632960|7700900|2079460)[0-9]{3}\z|\A555[0-9]{4}\z|1234567")
"""Numbers kept for films and manuals."""
AMERICAN = compiled(r"\([2-9][0-9]{2}\) ?[2-9][0-9]{2}-[0-9]{4}|[2-9][0-9]{2}-[2-9][0-9]{2}-[0-9]{4}")
DATE = compiled(r"(?:19|20)[0-9]{2}[\-/. ][0-1]?[0-9][\-/. ][0-3]?[0-9]|[0-3]?[0-9][\-/.][0-1]?[0-9][\-/.](?:19|20)[0-9]{2}")


def _possible(text: str, region: str | None) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(text, region))
    except phonenumbers.NumberParseException:
        return False


ISSUERS = compiled(
    r"\A(?:4|5[1-5]|2(?:2[2-9]|[3-6]|7[01]|720)|3[47]|3(?:0[0-5]|[689])|35|6(?:011|5|4[4-9])|62|9792|508|606|607|50|5[6-8]|63|67)"
)


def card(place: Place) -> bool:
    """Of an issuer's range, with the check digit of ISO 7812."""
    digits = digits_of(place.value)
    if (
        not 13 <= len(digits) <= 19
        or digits in SAMPLES
        or not ISSUERS.match(digits)
        or not is_whole(place)
        or len(set(digits)) < 4
    ):
        return False
    if digits[:1] == b"4" and len(digits) not in (13, 16, 19):
        return False
    return luhn.is_valid(digits.decode("ascii"))


def iban(place: Place) -> bool:
    """With the check digits of ISO 13616 and the length of its country."""
    value = place.value.replace(b" ", b"")
    return value not in SAMPLES and is_whole(place) and stdnum_iban.is_valid(value.decode("ascii"), check_country=False)


def nino(place: Place) -> bool:
    """British; its prefixes are known, and it has no check digit."""
    value = place.value.replace(b" ", b"")
    return value not in SAMPLES and value[:2] not in (b"BG", b"GB", b"NK", b"KN", b"TN", b"NT", b"ZZ") and is_whole(place)


def ip(place: Place) -> bool:
    """No address of documentation, loopback or a private network, and no version."""
    value = place.value
    return (
        not LOCAL.match(value) and is_whole(place) and not place.before(10).lower().rstrip().endswith((b"version", b"v", b"ver"))
    )


LOCAL = compiled(
    r"(?i)(?:0\.|10\.|127\.|169\.254\.|192\.168\.|172\.(?:1[6-9]|2[0-9]|3[01])\.|192\.0\.2\.|198\.51\.100\.|203\.0\.113\."
    r"|22[4-9]\.|2[3-5][0-9]\.|fe80|f[cd]|2001:db8|::)"
)


def number(*names: str) -> Check:
    """With the check digits of one of these modules of python-stdnum."""
    modules: list[Any] = [import_module(f"stdnum.{name}") for name in names]

    def check(place: Place) -> bool:
        plain = digits_of(place.value)
        if plain in SAMPLES or len(set(plain)) < 4 or not is_whole(place):
            return False
        value = place.value.decode("ascii")
        return any(_valid(module, value) for module in modules)

    return check


def _valid(module: Any, value: str) -> bool:
    """Some modules stumble over places and dates that they do not know, in place of saying that they are none."""
    try:
        return bool(module.is_valid(value))
    except (LookupError, TypeError, ValueError):
        return False


def formatted(name: str) -> Check:
    """As `number`; digits with nothing between them only where a word stands by."""
    valid = number(name)
    return lambda place: (place.near or not place.value.isdigit()) and valid(place)


PLAIN: dict[str, Check] = {
    "real": real, "mixed": mixed, "generic": generic, "password": password, "jwt": jwt, "email": email, "phone": phone, "card": card,
    "iban": iban, "nino": nino, "ip": ip,
}  # fmt: skip


def check_of(name: str) -> Check | None:
    """By what rules call it: `card`, `number:es.dni,es.nie`."""
    kind, _, argument = name.partition(":")
    if kind == "number":
        return number(*argument.split(","))
    return formatted(argument) if kind == "formatted" else PLAIN[name] if name else None


@cache
def nearby(words: tuple[str, ...]) -> Pattern:
    """One of the words, not inside another one."""
    return compiled(rf"(?i)(?:\A|[^a-z])(?:{any_of(cases(words))})")
