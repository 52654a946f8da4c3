"""What the gateway knows of a workspace: the last survey's figures, and the asking for a new one."""

from __future__ import annotations

import asyncio
import logging
import math
import re
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE
from collections import defaultdict
from collections.abc import Mapping

import msgspec

from lynkr_scorer_codegraph.facts import Facts
from lynkr_scorer_codegraph.survey import ENDINGS, Order, Told

log = logging.getLogger(__name__)
SPLIT = re.compile(r"[^\w@+~./\\-]+")
MOST_NAMES = 64
LONGEST = 400
GRACE = 5.0
"""Seconds that a survey may take beyond its own limit before it is killed."""
KEPT = ("PATH", "PYTHONPATH", "VIRTUAL_ENV", "SYSTEMROOT", "LANG")
"""What a survey may know of the environment: no keys."""
RUN = "from lynkr_scorer_codegraph.survey import main; main()"
_told = msgspec.json.Decoder(Told)
_order = msgspec.json.Encoder()


def names_in(text: str) -> list[str]:
    """What looks like a file's name in a text, each once, at most 64."""
    found: dict[str, None] = {}
    for word in SPLIT.split(text):
        word = word.rstrip(".")
        if "." in word and len(word) <= LONGEST and word.rpartition(".")[2].lower() in ENDINGS:
            found[word.replace("\\", "/")] = None
            if len(found) == MOST_NAMES:
                break
    return list(found)


class Index:
    """Files by path. Names are looked up here only: no name in a request leads to a file system."""

    def __init__(self, order: Order, refresh: float, environ: Mapping[str, str]) -> None:
        self.order = order
        self.refresh = refresh
        self.environ = {name: environ[name] for name in KEPT if name in environ}
        self.files: dict[str, Facts] = {}
        self.tails: dict[str, list[str]] = {}
        self.whole = False
        self._state = b""
        self.ready = asyncio.Event()
        self._last = -math.inf
        self._wanted = asyncio.Event()

    def find(self, name: str) -> str | None:
        """The path of the file that is meant; None when there is none, or more than one."""
        name = name.removeprefix(self.order.workspace + "/").removeprefix("./")
        if ".." in name.split("/"):
            return None
        if name in self.files:
            return name
        ending = [path for path in self.tails.get(name.rpartition("/")[2], ()) if path.endswith("/" + name)]
        if not ending:  # the same file in somebody's own copy of the workspace
            ending = [path for path in self.tails.get(name.rpartition("/")[2], ()) if "/" in path and name.endswith("/" + path)]
            ending = sorted(ending, key=len)[-1:]
        return ending[0] if len(ending) == 1 else None

    def want(self) -> None:
        """Asks for a survey, if the last one is old enough."""
        if time.monotonic() - self._last >= self.refresh:
            self._wanted.set()

    async def keep(self) -> None:
        """Surveys whenever one is wanted, until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await self.survey()

    async def survey(self) -> None:
        """One survey. What goes wrong is logged, and the last one's figures stay."""
        try:
            self._take(await self._run())
        except (OSError, TimeoutError, msgspec.MsgspecError) as error:
            log.warning("the survey of the workspace came to nothing: %s", type(error).__name__)
        finally:
            self._last = time.monotonic()
            self.ready.set()

    async def _run(self) -> bytes:
        order = _order.encode(self.order).decode()
        command = (sys.executable, "-P", "-c", RUN, order)  # -P: nothing is imported from where lynkr was started
        process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=self.environ)
        try:
            async with asyncio.timeout(self.order.seconds + GRACE):
                out, _ = await process.communicate(self._state)
        finally:
            if process.returncode is None:
                process.kill()
                await asyncio.shield(process.wait())
        return out

    def _take(self, out: bytes) -> None:
        first, _, state = out.partition(b"\n")
        told = _told.decode(first)
        tails: dict[str, list[str]] = defaultdict(list)
        for path in told.files:
            tails[path.rpartition("/")[2]].append(path)
        self.whole, self.files, self.tails, self._state = told.whole, told.files, tails, state
