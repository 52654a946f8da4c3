"""Languages beside Python, where their tree-sitter grammars are installed (`lynkr-scorer-codegraph[languages]`)."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import Any

from lynkr_scorer_codegraph.facts import Tally

WORDS: dict[str, Any] = tomllib.loads(files("lynkr_scorer_codegraph").joinpath("languages.toml").read_text())
GRAMMARS: dict[str, str] = {ending: name for name, endings in WORDS["endings"].items() for ending in endings}
"""By ending: the module that has the grammar, and the function that gives it."""
FUNCTIONS = frozenset(WORDS["functions"])
BRANCHES = frozenset([*WORDS["loops"], *WORDS["branches"]])
DEEPER = FUNCTIONS | frozenset([*WORDS["loops"], *WORDS["deeper"]])
OPERATORS = frozenset(("&&", "||", "??", "and", "or"))
IMPORTS = frozenset(WORDS["imports"])
REQUIRES = (b"require", b"require_relative")
QUOTED = re.compile(r"""["'<]([^"'<>]{1,200})["'>]""")
DOTTED = re.compile(r"^(?:pub(?:\([^)]*\))?\s+)?(?:import|use|mod)\s+(?:static\s+)?([\w.:]{1,200})")
MAX_IMPORT = 2000
ENDING = re.compile(r"\.(?:[cm]?jsx?|tsx?|h|hpp)$")


@cache
def parser(ending: str) -> Any:
    """None where the grammar, or tree-sitter itself, is not installed or does not fit."""
    if ending not in GRAMMARS:
        return None
    module, _, function = GRAMMARS[ending].partition(":")
    try:
        tree_sitter: Any = import_module("tree_sitter")
        return tree_sitter.Parser(tree_sitter.Language(getattr(import_module(module), function)()))
    except (ImportError, AttributeError, ValueError, TypeError):
        return None


def other(data: bytes, ending: str, tally: Tally) -> None:
    """Counts in a file of another language; without its grammar there are only lines."""
    found = parser(ending)
    if found is None:
        return
    waiting: list[tuple[Any, int, int]] = [(found.parse(data).root_node, 0, 0)]
    while waiting:
        node, depth, function = waiting.pop()
        kind, named = node.type, node.is_named
        if named and kind in FUNCTIONS:
            function = tally.function()
        if named and kind in DEEPER and not is_chained(node):
            depth += 1
            tally.depth = max(tally.depth, depth)
        if kind in OPERATORS if not named else kind in BRANCHES:
            tally.branch(function)
        if named and (kind in IMPORTS or (kind == "call" and is_require(node))):
            imported(node, tally)
        waiting += [(child, depth, function) for child in node.children]


def is_chained(node: Any) -> bool:
    """Whether it is the `if` of an `else if`."""
    parent = node.parent
    if parent is None or not node.type.startswith("if"):
        return False
    return parent.type == "else_clause" or (parent.type == node.type and parent.child_by_field_name("alternative") == node)


def is_require(node: Any) -> bool:
    return bool(node.children) and node.children[0].text in REQUIRES


def imported(node: Any, tally: Tally) -> None:
    """As paths: what stands in quotes, or the dotted name."""
    text = node.text[:MAX_IMPORT].decode("utf-8", "replace")
    if node.type == "export_statement" and node.child_by_field_name("source") is None:
        return
    if node.type == "mod_item" and node.child_by_field_name("body") is not None:
        return
    for name in QUOTED.findall(text):
        tally.imported(ENDING.sub("", name) if node.type != "call" or b"relative" not in node.text[:20] else f"./{name}")
        return
    if match := DOTTED.match(text):
        path = re.sub(r"[.:]+", "/", match[1]).strip("/")
        tally.imported(path.removeprefix("crate/").removeprefix("self/").removeprefix("super/"))
