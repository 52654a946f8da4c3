"""Texts as vectors of length 1, in well under a millisecond and without a network."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol
from zlib import crc32

import msgspec
import numpy as np
from numpy.typing import NDArray

from lynkr_core.errors import PluginError
from lynkr_scorer_heuristic.clean import shortened

Vector = NDArray[np.float32]
HASHED = 512
GRAM, GRAM_SHARE = 4, 0.5
"""Characters of the parts of a word that are hashed too, and how much each counts beside the whole word."""
LENGTH, USUAL = 1.5, 6.0
"""How much a text's length counts beside its words, and the logarithm of its characters that is neither long nor short."""
MAX_WORDS = 300
KNOWN_WORDS, LONGEST = 8_192, 24
"""Words whose places are remembered, and the characters of a word that count."""

_word = re.compile(r"\w+")


class Embedder(Protocol):
    """`name` stands with what is kept: vectors of different embedders cannot be compared."""

    name: str
    size: int

    def of(self, text: str) -> Vector: ...


class Hashed:
    """What words there are, and how long the text is. Knows no meaning."""

    name, size = "hashed-2", HASHED + 1

    def of(self, text: str) -> Vector:
        return normal(np.append(hashed(text), length(text)))


def hashed(text: str) -> Vector:
    """Distinct words and their 4-grams, each with its place and sign by its hash."""
    words = set(_word.findall(shortened(text).lower())[:MAX_WORDS])
    found = np.zeros(HASHED, np.float32)
    if words:
        placed = [places(word[:LONGEST]) for word in sorted(words)]
        np.add.at(found, np.concatenate([at for at, _ in placed]), np.concatenate([values for _, values in placed]))
    return normal(found)


def length(text: str) -> np.float32:
    return np.float32(LENGTH * (math.log1p(len(text)) / USUAL - 1))


@lru_cache(KNOWN_WORDS)
def places(word: str) -> tuple[NDArray[np.intp], Vector]:
    parts = [word, *(word[at : at + GRAM] for at in range(len(word) - GRAM + 1))]
    hashes = [crc32(part.encode("utf-8", "surrogatepass")) for part in parts]
    signs = [1.0 if value & (1 << 20) else -1.0 for value in hashes]
    values = np.array(signs, np.float32) * ([1.0] + [GRAM_SHARE] * (len(parts) - 1))
    return np.array([value % HASHED for value in hashes], np.intp), values.astype(np.float32)


class Static:
    """The mean of a table's token vectors beside the hashed words and the length. The table is WordLlama's (MIT), read from its wheel."""

    name = "wordllama-hashed-2"

    def __init__(self) -> None:
        """Raises `PluginError` when the package's extra `static` is not installed."""
        self._tokens, self._table = tokenizer(), table()
        self.size = self._table.shape[1] + HASHED + 1

    def of(self, text: str) -> Vector:
        ids = self._tokens.encode(shortened(text), add_special_tokens=False).ids
        meant = self._table[ids].mean(axis=0) if ids else np.zeros(self._table.shape[1], np.float32)
        words = normal(np.concatenate((normal(meant.astype(np.float32)), hashed(text))))
        return normal(np.append(words, length(text)))


def embedder(name: str) -> Embedder:
    return Static() if name == "static" else Hashed()


def normal(vector: Vector) -> Vector:
    length = float(np.linalg.norm(vector))
    return vector / np.float32(length) if length > 1e-9 else vector


def wheel() -> Path:
    """Where WordLlama is installed; it is not imported, because importing it loads far more than the table."""
    found = find_spec("wordllama")
    if found is None or found.origin is None:
        raise PluginError("$.embedder: static needs more packages: pip install 'lynkr-scorer-learned[static]'")
    return Path(found.origin).parent


def tokenizer() -> Any:
    try:
        from tokenizers import Tokenizer  # pyright: ignore[reportMissingImports, reportUnknownVariableType]
    except ImportError:
        raise PluginError("$.embedder: static needs more packages: pip install 'lynkr-scorer-learned[static]'") from None
    made: Any = Tokenizer.from_file(str(only(wheel() / "tokenizers", "l2_supercat*.json")))  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    made.no_padding()
    made.no_truncation()
    return made


def table() -> NDArray[np.float16]:
    """The one tensor of a safetensors file: eight bytes of length, a JSON header of that length, the numbers."""
    data = only(wheel() / "weights", "l2_supercat_256.safetensors").read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = msgspec.json.decode(data[8:start], type=dict[str, dict[str, Any]])
    (tensor,) = [entry for name, entry in header.items() if name != "__metadata__"]
    kind = {"F16": "<f2", "F32": "<f4"}[tensor["dtype"]]
    return np.frombuffer(data, kind, offset=start).reshape(tensor["shape"]).astype(np.float16)


def only(folder: Path, pattern: str) -> Path:
    """Raises `PluginError` for a version of the wheel without the file."""
    found = next(folder.glob(pattern), None)
    if found is None:
        raise PluginError(f"$.embedder: the installed wordllama has no {pattern}")
    return found
