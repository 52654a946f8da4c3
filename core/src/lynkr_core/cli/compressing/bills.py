"""What the input of conversations costs, turn by turn, with a provider's cache of prompts."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from msgspec import Struct, field

from lynkr_core.cli.compressing.spoken import texts
from lynkr_core.request import Request, Text, Tool
from lynkr_core.tokens import FRAME, Tokens

WRITE, READ = 1.25, 0.1
"""Of the price of input: what is new is written to the provider's cache for five minutes, what was sent a turn before is read."""
Pieces = Sequence[tuple[bytes, int]]
"""What is sent, in pieces with their tokens."""


class Bill(Struct):
    """In tokens at the price of input. `kept`: tokens of the turn before that were sent again as they were, of `could`."""

    plain: float = 0.0
    cached: float = 0.0
    kept: int = 0
    could: int = 0

    def add(self, sent: Pieces, before: Pieces) -> None:
        """One turn: what is sent after what was sent the turn before."""
        total = sum([tokens for _, tokens in sent])
        same = next((i for i, (a, b) in enumerate(zip(sent, before, strict=False)) if a[0] != b[0]), min(len(sent), len(before)))
        read = sum([tokens for _, tokens in sent[:same]])
        self.plain += total
        self.cached += READ * read + WRITE * (total - read)
        self.kept += read
        self.could += sum([tokens for _, tokens in before])

    def join(self, other: Bill) -> None:
        for name in Bill.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Figures(Struct):
    """Of one corpus. `plugins`: the bill after each plugin, in their order; the last one's is `ours`.

    `kinds`: of results of tools, their number and tokens before and after. Needles by kind: how many there are, are sent to the letter, and
    are sent in a shorter notation.
    """

    conversations: int = 0
    client: Bill = field(default_factory=Bill)
    plugins: dict[str, Bill] = field(default_factory=dict[str, Bill])
    kinds: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    needles: dict[str, list[int]] = field(default_factory=dict[str, list[int]])

    @property
    def ours(self) -> Bill:
        return list(self.plugins.values())[-1] if self.plugins else self.client

    def join(self, other: Figures) -> None:
        self.conversations += other.conversations
        self.client.join(other.client)
        for name, bill in other.plugins.items():
            self.plugins.setdefault(name, Bill()).join(bill)
        for mine, theirs in ((self.kinds, other.kinds), (self.needles, other.needles)):
            for kind, row in theirs.items():
                mine[kind] = [a + b for a, b in zip(mine.get(kind, [0, 0, 0]), row, strict=True)]


class Meter:
    """Counts what requests say."""

    def __init__(self, tokens: Tokens) -> None:
        self.count = tokens.count

    def pieces(self, request: Request) -> list[tuple[bytes, int]]:
        """Tools, prompt, and messages: what each says, and its tokens."""
        said = [[tool_text(tool) for tool in request.tools], [part.text for part in request.system if isinstance(part, Text)]]
        said += [texts(message) for message in request.messages]
        return [("\0".join(one).encode("utf-8", "replace"), FRAME + self.count(*one)) for one in said]

    def stages(self, before: Request, stages: Sequence[Request]) -> list[list[tuple[bytes, int]]]:
        """The pieces of the request as it came, and after each plugin; one that changed nothing is not counted again."""
        found = [self.pieces(before)]
        for last, request in zip((before, *stages), stages, strict=False):
            found.append(found[-1] if request is last else self.pieces(request))
        return found


def tool_text(tool: Tool) -> str:
    return f"{tool.name}\n{tool.description}\n{bytes(tool.parameters or b'').decode()}"


def exact() -> Tokens:
    """As the plugin `tokens` counts, where it is installed; else estimated."""
    tokens = Tokens()
    try:
        from lynkr_tokens import count  # pyright: ignore[reportMissingImports]
    except ImportError:
        sys.stderr.write("# lynkr-tokens is not installed: tokens are estimated\n")
    else:
        tokens.use(count)
    return tokens
