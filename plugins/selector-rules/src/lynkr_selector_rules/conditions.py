"""What a rule asks of a request."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Annotated, Any

import msgspec
import regex
from msgspec import Meta, Struct

from lynkr_core.dialect import UNREADABLE
from lynkr_core.exchange import Exchange
from lynkr_core.request import Blob, File, Part, ToolCallResponse, Uri
from lynkr_core.tokens import estimate
from lynkr_selector_rules.language import LANGUAGES, language_of, languages_of
from lynkr_selector_tasks import ask_of, task_of

log = logging.getLogger("lynkr.rules")
BUDGET = 0.01
"""Seconds that one pattern may take on so many characters of a text as are read at most, where not all of it is."""
READ = 50_000
"""Characters of the last ask that patterns are tried on."""
REMEMBERED, MAX_REMEMBERED = 1024, 4000
"""Texts whose words and patterns are remembered, and their longest, in characters."""
SPACELESS = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
"""Writing without spaces: there a word may stand next to any other letter."""
FLAGS = regex.IGNORECASE | regex.VERSION1

_spaceless = regex.compile(SPACELESS, regex.VERSION1)
_json = msgspec.json.Decoder()

Strings = list[str]
Count = Annotated[int, Meta(ge=0)]


class Undecided(Exception):
    """A pattern took too long."""


class When(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """`when`: all that is said must hold; of a list, any."""

    prompt_contains: Annotated[Strings, Meta(description="Words or phrases; `invoice*` stands for all that begin so.")] = []
    prompt_matches: Annotated[Strings, Meta(description="Regular expressions; upper and lower case are the same.")] = []
    anywhere: Annotated[
        bool, Meta(description="Look for words, patterns and language in the whole request, not only in the last ask.")
    ] = False
    language: Annotated[Strings, Meta(description="ISO 639-1 codes, such as `ru`.")] = []
    task: Annotated[
        Strings, Meta(description="By `x-lynkr-task`, whatever it says, else as classified; see lynkr-selector-tasks.")
    ] = []
    agent: Annotated[Strings, Meta(description="Of the principal, else as `x-lynkr-agent` says; `*` stands for anything.")] = []
    user: Annotated[Strings, Meta(description="Of the principal; `*` stands for anything.")] = []
    team: Annotated[Strings, Meta(description="Of the principal; `*` stands for anything.")] = []
    principal_class: Annotated[Strings, Meta(description="Of the principal; `*` stands for anything.")] = msgspec.field(
        default_factory=list[str], name="class"
    )
    key: Annotated[
        Strings, Meta(description="The name of the key that was shown, or the principal's id; `*` stands for anything.")
    ] = []
    tags: Annotated[Strings, Meta(description="Of the principal, or in `x-lynkr-tags`, with commas between them.")] = []
    headers: Annotated[dict[str, str], Meta(description="Request headers and their values; `*` stands for anything.")] = {}
    min_tokens: Annotated[Count | None, Meta(description="So many input tokens or more.")] = None
    max_tokens: Annotated[Count | None, Meta(description="So many input tokens or fewer.")] = None
    tools: Annotated[bool | None, Meta(description="Whether the request has tools.")] = None
    images: Annotated[bool | None, Meta(description="Whether the request has images.")] = None

    def __post_init__(self) -> None:
        if any(not word.strip(" *") for word in self.prompt_contains):
            raise ValueError("an empty word is in every prompt")
        if unknown := sorted({*self.language} - LANGUAGES):
            raise ValueError(f"no language that is known: {', '.join(unknown)}; known: {' '.join(sorted(LANGUAGES))}")
        for pattern in self.prompt_matches:
            try:
                regex.compile(pattern, FLAGS)
            except regex.error as error:
                raise ValueError(f"{pattern!r} is no regular expression: {error}") from None


class Condition:
    """A compiled `When`. The cheap questions are asked first; what a text says is remembered."""

    def __init__(self, when: When) -> None:
        self.when = when
        self.words = regex.compile("|".join(map(bounded, when.prompt_contains)), FLAGS) if when.prompt_contains else None
        self.stems = [stem_of(word) for word in when.prompt_contains]
        self.patterns = [regex.compile(pattern, FLAGS) for pattern in when.prompt_matches]
        self.headers = [(name.lower().encode("latin-1"), value) for name, value in when.headers.items()]
        self.tasks = frozenset([task.strip().lower() for task in when.task])
        self.of_who = bool(when.agent or when.tags or when.user or when.team or when.key or when.principal_class)
        self.of_text = bool(self.words or self.patterns or when.language)
        self.of_body = (when.min_tokens, when.max_tokens, when.tools, when.images) != (None, None, None, None)
        self._says = lru_cache(REMEMBERED)(self.says)

    def holds(self, exchange: Exchange) -> bool:
        """Raises `Undecided` when a pattern takes too long, `InvalidRequest` for a body that has to be read and cannot be."""
        if self.of_who and not self.of_principal(exchange):
            return False
        if self.headers and not all(like(exchange.header(name), (value,)) for name, value in self.headers):
            return False
        if self.when.task and not self.of_task(exchange):
            return False
        if self.of_body and not self.fits(exchange):
            return False
        if not self.of_text:
            return True
        if self.when.anywhere:
            texts = strings_of(exchange.body)
            text = "\n".join(texts)
            return self.speaks(text, texts) and self.says(text)
        text = ask_of(exchange)
        return self._says(text) if len(text) <= MAX_REMEMBERED else self.says(text)

    def of_principal(self, exchange: Exchange) -> bool:
        when, who = self.when, exchange.principal
        if when.agent and not like(who.agent or exchange.header(b"x-lynkr-agent"), when.agent):
            return False
        if when.tags and not tags_of(exchange).intersection(when.tags):
            return False
        if when.key and not (like(who.id, when.key) or like(who.key or "", when.key)):
            return False
        asked = ((when.user, who.user), (when.team, who.team), (when.principal_class, who.principal_class))
        return all(not patterns or like(value or "", patterns) for patterns, value in asked)

    def of_task(self, exchange: Exchange) -> bool:
        said = exchange.header(b"x-lynkr-task").strip().lower()
        return said in self.tasks or (not said and task_of(exchange) in self.tasks)

    def fits(self, exchange: Exchange) -> bool:
        when = self.when
        if when.tools is not None and when.tools != bool("tools" in exchange.envelope.fields and exchange.request.tools):
            return False
        if when.images is not None and when.images != has_image(exchange):
            return False
        if when.min_tokens is not None and (len(exchange.body) < when.min_tokens or estimate(exchange.request) < when.min_tokens):
            return False
        return when.max_tokens is None or len(exchange.body) <= when.max_tokens or estimate(exchange.request) <= when.max_tokens

    def says(self, text: str) -> bool:
        """What the text alone decides."""
        text = text if text.isascii() else unicodedata.normalize("NFC", text)
        if self.when.language and not self.when.anywhere and language_of(text) not in self.when.language:
            return False
        if self.words and not self.contains(text):
            return False
        text = text if self.when.anywhere else text[:READ]
        return not self.patterns or any(searched(pattern, text) for pattern in self.patterns)

    def speaks(self, text: str, parts: Sequence[str]) -> bool:
        """Whether all of it together, or any part of it, is in one of the languages."""
        wanted = self.when.language
        return not wanted or language_of(text) in wanted or not languages_of(parts).isdisjoint(wanted)

    def contains(self, text: str) -> bool:
        """Looking for plain strings first takes a thirtieth of the time."""
        folded = text.casefold()
        return any(stem in folded for stem in self.stems) and bool(self.words and self.words.search(text))


def searched(pattern: regex.Pattern[str], text: str) -> bool:
    """Raises `Undecided` after `BUDGET` seconds for each `READ` characters: some patterns take years on some texts."""
    budget = BUDGET * max(1.0, len(text) / READ)
    try:
        return pattern.search(text, timeout=budget) is not None
    except TimeoutError:
        log.warning("the pattern %r took more than %.0f ms on a prompt", pattern.pattern, budget * 1000)
        raise Undecided from None


def stem_of(word: str) -> str:
    """What is in every text that has the word or phrase, once the text is folded."""
    return unicodedata.normalize("NFC", word).rstrip("*").split()[0].casefold()


def bounded(word: str) -> str:
    """A pattern for a word or phrase between the bounds of words; any blanks between its parts."""
    word = unicodedata.normalize("NFC", word.strip())
    stem = word.rstrip("*")
    body = r"\s+".join([regex.escape(part) for part in stem.split()])
    left, right = border(stem[0]), border(stem[-1])
    before = f"(?<!{left})" if left else ""
    after = f"(?!{right})" if right and stem == word else ""
    return f"{before}(?:{body}){after}"


def border(letter: str) -> str:
    """What may not stand beside this letter where a word ends."""
    if _spaceless.match(letter) or not (letter.isalnum() or letter == "_"):
        return ""
    return rf"[\w--{SPACELESS}]"


def like(value: str, patterns: Sequence[str]) -> bool:
    return value in patterns or any(fnmatchcase(value, pattern) for pattern in patterns if "*" in pattern and value)


def tags_of(exchange: Exchange) -> set[str]:
    said = exchange.header(b"x-lynkr-tags")
    return {*exchange.principal.tags, *(tag.strip() for tag in said.split(","))} if said else set(exchange.principal.tags)


def has_image(exchange: Exchange) -> bool:
    if not any(mark in exchange.body for mark in exchange.dialect.media.get("image", ())):
        return False
    parts: list[Part] = [part for message in exchange.request.messages for part in message.parts]
    parts += [inner for part in parts if isinstance(part, ToolCallResponse) for inner in part.content]
    return any(isinstance(part, Blob | Uri | File) and part.modality == "image" for part in parts)


def strings_of(body: bytes) -> Sequence[str]:
    """Every string of a JSON body, names of keys left out; the body itself when it is no JSON."""
    try:
        value = _json.decode(body)
    except UNREADABLE:
        return (body.decode("utf-8", "replace"),)
    found: list[str] = []
    waiting: list[Any] = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, dict):
            waiting.extend(value.values())  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
        elif isinstance(value, list):
            waiting.extend(value)  # pyright: ignore[reportUnknownArgumentType]
    return found
