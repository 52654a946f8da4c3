"""How much memory the process has, and may have. Linux only; elsewhere nothing is known, and nothing is refused for it."""

from __future__ import annotations

import os
from pathlib import Path

STATM = Path("/proc/self/statm")
CGROUP = Path("/sys/fs/cgroup/memory.max")
SHARE = 0.9
"""Of a container's limit; beyond it the kernel of the system ends the process."""


def used() -> int:
    """Resident bytes; 0 where that cannot be read."""
    try:
        return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def allowed() -> int | None:
    """Bytes that a container's limit leaves; None without one."""
    try:
        return int(int(CGROUP.read_text()) * SHARE)
    except (OSError, ValueError):
        return None
