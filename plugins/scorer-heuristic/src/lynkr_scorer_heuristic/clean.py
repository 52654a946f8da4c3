"""What a human wrote, without what tools put around it."""

from __future__ import annotations

import re

ENVELOPES = (
    "system-reminder", "command-name", "command-message", "local-command-stdout", "local-command-stderr", "local-command-caveat",
    "task-notification", "environment_context", "user_instructions", "INSTRUCTIONS", "environment_details", "additional_data",
    "attached_files", "open_and_recently_viewed_files", "ide_opened_file", "ide_selection", "bash-stdout", "bash-stderr",
    "user-prompt-submit-hook", "session-start-hook", "new-diagnostics", "turn_aborted", "persisted-output", "tool_use_error",
)  # fmt: skip
"""Elements that coding tools add to a user's turn: dropped with their content."""
WRAPPERS = ("command-args", "user_query", "user_message", "task", "feedback", "bash-input")
"""Elements in which coding tools put the user's own words: only the tags go."""
KEPT = 1_000, 400
"""Characters kept from the beginning and from the end: what is asked stands at either, and a decision has a millisecond."""

MAX_TAGS = 500
"""Tags looked at; no tool puts so many into one turn."""

_tag = re.compile(rf"</?(?:{'|'.join(WRAPPERS)})>|<({'|'.join(ENVELOPES)})(?:\s[^<>]{{0,200}})?>")
_interrupted = re.compile(r"\[Request interrupted by user[^\]\n]{0,40}\]")
_agents = re.compile(r"\A\s*# AGENTS\.md instructions[^\n]*\s*\Z")


def clean(text: str) -> str:
    """The text without envelopes and surrounding blanks. An element that is never closed is text."""
    if "<" in text:
        text = without_tags(text)
    if "[Request" in text:
        text = _interrupted.sub("", text)
    if "# AGENTS.md" in text:
        text = _agents.sub("", text)
    return text.strip()


def without_tags(text: str) -> str:
    """Linear in the text: the end of an element that has none is looked for once."""
    kept: list[str] = []
    unclosed: set[str] = set()
    start = position = 0
    for _ in range(MAX_TAGS):
        found = _tag.search(text, position)
        if found is None:
            break
        position = found.end()
        if name := found[1]:
            end = -1 if name in unclosed else text.find(f"</{name}>", position)
            if end < 0:
                unclosed.add(name)
                continue
            position = end + len(name) + 3
        kept.append(text[start : found.start()])
        start = position
    return "".join((*kept, text[start:])) if kept else text


def shortened(text: str, first: int = KEPT[0], last: int = KEPT[1]) -> str:
    """The beginning and the end of a long text."""
    return text if len(text) <= first + last else f"{text[:first]}\n{text[-last:]}"
