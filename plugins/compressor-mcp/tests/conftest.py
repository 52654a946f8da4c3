from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

spec = importlib.util.spec_from_file_location("lynkr_boxes", Path(__file__).parent / "boxes.py")
assert spec is not None
assert spec.loader is not None
boxes = importlib.util.module_from_spec(spec)
spec.loader.exec_module(boxes)


@pytest.fixture
def box() -> Iterator[Any]:
    with boxes.Box() as box:
        yield box


@pytest.fixture
def old() -> Iterator[Any]:
    """One that knows sessions."""
    with boxes.Box(old=True) as box:
        yield box


@pytest.fixture
def lie() -> Any:
    return boxes.Lie
