"""What is known of one file of code: numbers only, and for the survey itself the names it imports."""

from __future__ import annotations

import ast

from msgspec import Struct

MAX_IMPORTS, MAX_NAME = 200, 200
BRANCHES = (
    ast.If, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.IfExp, ast.comprehension, ast.match_case,
)  # fmt: skip
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
DEEPER = (*FUNCTIONS, ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.TryStar, ast.With, ast.AsyncWith, ast.Match)


class Facts(Struct, array_like=True, frozen=True):
    """`branches`: places where the flow parts. `worst`: most of them in one function. `depth`: of blocks in blocks, the deepest.

    `importers`: so many files of the workspace import this one.
    """

    lines: int = 0
    functions: int = 0
    branches: int = 0
    worst: int = 0
    depth: int = 0
    importers: int = 0


class Tally:
    """Counts while a syntax tree is walked. Number 0 of `own` is what stands outside all functions."""

    def __init__(self, data: bytes) -> None:
        self.lines = data.count(b"\n") + (not data.endswith(b"\n") if data else 0)
        self.own = [0]
        self.depth = 0
        self.imports: set[str] = set()

    def branch(self, function: int, count: int = 1) -> None:
        self.own[function] += count

    def function(self) -> int:
        """The number of one more function."""
        self.own.append(0)
        return len(self.own) - 1

    def imported(self, name: str) -> None:
        if len(self.imports) < MAX_IMPORTS and 0 < len(name) <= MAX_NAME:
            self.imports.add(name)

    def facts(self) -> Facts:
        return Facts(self.lines, len(self.own) - 1, sum(self.own), max(self.own), self.depth)


def python(data: bytes, tally: Tally) -> None:
    """Counts in a Python file. Raises what `ast.parse` does for what is none."""
    waiting: list[tuple[ast.AST, int, int]] = [(ast.parse(data), 0, 0)]
    while waiting:
        node, depth, function = waiting.pop()
        if isinstance(node, FUNCTIONS):
            function = tally.function()
        if isinstance(node, DEEPER):
            depth += 1
            tally.depth = max(tally.depth, depth)
        tally.branch(function, decisions(node))
        imports(node, tally)
        chained = node.orelse if isinstance(node, ast.If) and is_elif(node.orelse) else ()
        waiting += [(child, depth - (child in chained), function) for child in ast.iter_child_nodes(node)]


def is_elif(otherwise: list[ast.stmt]) -> bool:
    return len(otherwise) == 1 and isinstance(otherwise[0], ast.If)


def decisions(node: ast.AST) -> int:
    if isinstance(node, ast.BoolOp):
        return len(node.values) - 1
    return int(isinstance(node, BRANCHES))


def imports(node: ast.AST, tally: Tally) -> None:
    """As paths: `a/b` for `import a.b`; a relative one begins with as many `./` or `../` as it has dots."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            tally.imported(alias.name.replace(".", "/"))
    elif isinstance(node, ast.ImportFrom):
        start = "./" + "../" * (node.level - 1) if node.level else ""
        module = start + (node.module or "").replace(".", "/")
        for alias in node.names:
            tally.imported(f"{module.rstrip('/')}/{alias.name}")
