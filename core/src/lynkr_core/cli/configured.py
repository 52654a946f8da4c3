"""What a command looks at: a gateway as the file has it, not served."""

from __future__ import annotations

import os
from pathlib import Path

from lynkr_core.config import load
from lynkr_core.kernel import Kernel


def kernel_of(file: Path) -> Kernel:
    """Raises `ConfigError` with every mistake at once, those of plugins too."""
    return Kernel.from_config(load(file, os.environ, strict=False), os.environ)
