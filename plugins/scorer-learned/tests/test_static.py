from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lynkr_core.errors import PluginError
from lynkr_scorer_learned import embedding


class Words:
    """As much of a tokenizer as is used: each word's length, up to 3, is its number."""

    def encode(self, text: str, add_special_tokens: bool) -> Any:
        assert not add_special_tokens
        return type("Encoded", (), {"ids": [min(len(word), 3) for word in text.split()]})


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch) -> Path:
    """A hand-made table in the format of safetensors (its README): length, header, numbers."""
    table = np.array([[0, 0], [1, 0], [0, 1], [-1, 0]], "<f2")
    header = json.dumps({"__metadata__": {}, "w": {"dtype": "F16", "shape": [4, 2], "data_offsets": [0, 16]}}).encode()
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights/l2_supercat_256.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + table.tobytes())
    monkeypatch.setattr(embedding, "wheel", lambda: tmp_path)
    monkeypatch.setattr(embedding, "tokenizer", Words)
    return tmp_path


def test_meaning_stands_before_the_hashed_words(wheel):
    made = embedding.embedder("static")
    vector = made.of("a bb")
    assert vector.shape == (made.size,) == (embedding.HASHED + 3,)
    words = vector[:-1] / np.linalg.norm(vector[:-1])
    assert words[:2] == pytest.approx([0.5, 0.5], abs=1e-3)
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)
    assert np.isfinite(made.of("")).all()


def test_a_wheel_without_the_table_is_told(wheel):
    (wheel / "weights/l2_supercat_256.safetensors").unlink()
    with pytest.raises(PluginError, match="l2_supercat_256"):
        embedding.embedder("static")


def test_what_is_missing_is_told(monkeypatch):
    monkeypatch.setattr(embedding, "find_spec", lambda name: None)
    with pytest.raises(PluginError, match=r"lynkr-scorer-learned\[static\]"):
        embedding.embedder("static")
