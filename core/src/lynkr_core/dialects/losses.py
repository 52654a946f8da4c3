"""What a request loses on its way into another API, and what every API loses alike."""

from __future__ import annotations

from collections.abc import Sequence

from lynkr_core.request import Part, Request, Text, ToolCallResponse

ATTRIBUTION = "x-anthropic-billing-header:"
"""Begins a block by which Claude Code tells its vendor whom to bill; it changes with each prompt and is no prompt (Claude Code 2.1)."""
CACHE_MARKERS = "cache_control: this API caches prompts without markers"


def note(losses: list[str], line: str) -> None:
    """Adds a loss once."""
    if line not in losses:
        losses.append(line)


def without_attribution(parts: Sequence[Part], losses: list[str]) -> list[Part]:
    """A system prompt for another vendor than the one that the client is made for."""
    kept = [part for part in parts if not (isinstance(part, Text) and part.text.startswith(ATTRIBUTION))]
    if len(kept) != len(parts):
        note(losses, "system: the block that tells the client's own vendor whom to bill is no prompt")
    return kept


def note_cache_markers(request: Request, losses: list[str]) -> None:
    """For APIs that cache prompts by themselves."""
    if any(tool.cache is not None for tool in request.tools) or _marked(request.system):
        note(losses, CACHE_MARKERS)
        return
    for message in request.messages:
        if _marked(message.parts):
            note(losses, CACHE_MARKERS)
            return


def _marked(parts: Sequence[Part]) -> bool:
    for part in parts:
        if part.cache is not None:
            return True
        if isinstance(part, ToolCallResponse) and _marked(part.content):
            return True
    return False


def note_citations(request: Request, losses: list[str]) -> None:
    """Citations in earlier answers."""
    for message in request.messages:
        for part in message.parts:
            if isinstance(part, Text) and part.annotations is not None:
                note(losses, "citations: those of earlier answers mean nothing to another vendor")
                return
