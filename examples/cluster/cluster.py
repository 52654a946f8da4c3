"""nginx, three gateways, Redis and PostgreSQL on this machine: `python examples/cluster/cluster.py`, Ctrl-C ends all of them.

It needs Debian's packages nginx-light, redis-server and postgresql; none of their services has to run. Everything lies in a temporary
folder. nginx and the gateways listen on free ports of 127.0.0.1, the stores on sockets in the folder.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

HERE = Path(__file__).parent
HOST = "127.0.0.1"
PATIENCE = 60.0
"""Seconds any of them may take to start or to stop."""
PORTS_TRIED = 5
POSTGRES_USER: dict[str, Any] = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
"""PostgreSQL refuses to run as root; its package makes this user."""


def wait(holds: Callable[[], object], what: str) -> None:
    """Raises `RuntimeError` when it does not come true."""
    until = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > until:
            raise RuntimeError(f"{what} within {PATIENCE:g} s")
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


class Part:
    """One process, and its log."""

    def __init__(self, command: Sequence[str | Path], log: Path, **how: Any) -> None:
        self.log = log
        with log.open("ab") as said:
            words = [str(word) for word in command]
            self.process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True, **how
            )

    def wait(self, holds: Callable[[], object]) -> None:
        """Ends it when it does not come to serve."""
        try:
            wait(lambda: holds() or self.process.poll() is not None, f"{self.process.args} does not answer")
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.process.args} ended:\n{self.log.read_text(errors='replace')[-2000:]}")
        except BaseException:
            self.stop(signal.SIGKILL)
            raise

    def stop(self, by: int = signal.SIGTERM) -> None:
        if self.process.poll() is None:
            self.process.send_signal(by)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Redis(Part):
    def __init__(self, folder: Path) -> None:
        self.socket = folder / "redis.sock"
        self.url = f"unix://{self.socket}"
        keep = ["--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction", "--save", ""]
        super().__init__(
            ["redis-server", "--port", "0", "--unixsocket", self.socket, "--dir", folder, *keep], folder / "redis.log"
        )
        ping = ["redis-cli", "-s", str(self.socket), "ping"]
        self.wait(lambda: subprocess.run(ping, capture_output=True, check=False).stdout == b"PONG\n")


class Postgres(Part):
    """`fast` is for tests: what a power cut would cost does not matter there."""

    def __init__(self, folder: Path, fast: bool = False) -> None:
        folder.mkdir()
        if POSTGRES_USER:
            shutil.chown(folder, POSTGRES_USER["user"], POSTGRES_USER["group"])
        self.url = f"postgresql://postgres@/postgres?host={folder}"
        data = folder / "data"
        make = [binary("initdb"), "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync"]
        subprocess.run(make, check=True, stdout=subprocess.DEVNULL, cwd=folder, **POSTGRES_USER)
        settings = [f"unix_socket_directories={folder}", "listen_addresses=", *(["fsync=off"] if fast else [])]
        words = [word for setting in settings for word in ("-c", setting)]
        super().__init__([binary("postgres"), "-D", data, *words], folder / "log", cwd=folder, **POSTGRES_USER)
        ready = [binary("pg_isready"), "-q", "-h", str(folder)]
        self.wait(lambda: subprocess.run(ready, check=False).returncode == 0)

    def stop(self, by: int = signal.SIGINT) -> None:
        super().stop(by)  # it disconnects who is still there; SIGTERM would wait for them


def binary(name: str) -> str:
    """Debian keeps PostgreSQL's off the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else name


class Node:
    """A gateway with a folder of its own, which has its `lynkr.toml`. It keeps its port."""

    def __init__(self, folder: Path, config: str, environ: Mapping[str, str]) -> None:
        folder.mkdir()
        self.folder = folder
        self.environ = environ
        self.port = 0
        self.write(config)
        self.spawn()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def pid(self) -> int:
        return self._part.process.pid

    def write(self, config: str) -> None:
        """As editors do: a new file in the place of the old one. The running gateway takes it up by itself, or when told to."""
        new = self.folder / "new.toml"
        new.write_text(config)
        new.rename(self.folder / "lynkr.toml")

    def start(self) -> None:
        self.spawn()
        self.wait()

    def spawn(self) -> None:
        log = self.folder / "log"
        self._begins = log.stat().st_size if log.exists() else 0
        command = [sys.executable, "-m", "lynkr_core.cli", "serve", "--port", str(self.port)]
        self._part = Part(command, log, cwd=self.folder, env={**os.environ, **self.environ})

    def wait(self) -> None:
        """Returns when it serves."""
        self._part.wait(lambda: b"\n" in self._address())
        self.port = int(self._address().split()[0].rpartition(b":")[2])

    def _address(self) -> bytes:
        """What its log has behind the words that come before the address."""
        return self._part.log.read_bytes()[self._begins :].partition(b" at http://")[2]

    def stop(self) -> None:
        self._part.stop()

    def kill(self) -> None:
        self._part.stop(signal.SIGKILL)


class Nginx(Part):
    """Before all nodes, on a port that it gets."""

    def __init__(self, folder: Path, nodes: Sequence[Node]) -> None:
        servers = "\n    ".join([f"server {HOST}:{node.port} max_fails=1 fail_timeout=2s;" for node in nodes])
        for _ in range(PORTS_TRIED):  # whoever is faster has the port
            self.port = free_port()
            told = Template((HERE / "nginx.conf").read_text()).substitute(folder=folder, port=self.port, servers=servers)
            (folder / "nginx.conf").write_text(told)
            super().__init__(
                ["nginx", "-c", folder / "nginx.conf", "-p", folder, "-e", folder / "nginx.log"], folder / "nginx.log"
            )
            try:
                self.wait(lambda: listens(self.port))
            except RuntimeError as error:
                failure = error
            else:
                return
        raise failure

    def stop(self, by: int = signal.SIGQUIT) -> None:
        super().stop(by)  # after the last answer


class Cluster:
    """`with Cluster(folder) as cluster:` serves at `cluster.url` until the block ends. The folder's name is short: sockets lie in it."""

    def __init__(self, folder: Path, nodes: int = 3, config: str | None = None, fast: bool = False) -> None:
        self.folder = folder
        self.admin_key = secrets.token_hex(16)
        self.config = config or (HERE / "lynkr.toml").read_text()
        self._count, self._fast = nodes, fast
        self._parts: list[Redis | Postgres | Node | Nginx] = []

    def __enter__(self) -> Cluster:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self) -> None:
        self.folder.chmod(0o755)  # PostgreSQL's user passes through it
        self.redis = self._with(Redis(self.folder))
        self.postgres = self._with(Postgres(self.folder / "postgres", self._fast))
        environ = {"LYNKR_REDIS_URL": self.redis.url, "LYNKR_POSTGRES_URL": self.postgres.url, "LYNKR_ADMIN_KEY": self.admin_key}
        environ["LYNKR_PEPPER"] = secrets.token_hex(16)
        self.nodes = [self._with(Node(self.folder / f"node-{n + 1}", self.config, environ)) for n in range(self._count)]
        for node in self.nodes:
            node.wait()
        self.nginx = self._with(Nginx(self.folder, self.nodes))
        self.url = f"http://{HOST}:{self.nginx.port}"

    def _with(self, part: Any) -> Any:
        self._parts.append(part)
        return part

    def __exit__(self, *error: object) -> None:
        while self._parts:
            self._parts.pop().stop()

    def key(self, **rights: object) -> str:
        """A new key for a caller; `rights` as in `lynkr keys create`: `team`, `models` and so on."""
        body = json.dumps({"name": secrets.token_hex(4), **rights}).encode()
        headers = {"x-api-key": self.admin_key, "content-type": "application/json"}
        asked = urllib.request.Request(f"{self.url}/v1/admin/keys", body, headers)
        with urllib.request.urlopen(asked, timeout=PATIENCE) as answer:
            return str(json.load(answer)["key"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=3)
    nodes = parser.parse_args().nodes
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="lynkr-") as name, Cluster(Path(name), nodes) as cluster:
        key = cluster.key(team="trial")
        sys.stdout.write(f"{nodes} gateways behind {cluster.url}; files in {name}; Ctrl-C ends everything\n\n")
        sys.stdout.write(
            f"  curl {cluster.url}/v1/chat/completions -H 'authorization: Bearer {key}' -H 'content-type: application/json' \\\n"
        )
        sys.stdout.write("""    -d '{"model": "echo/echo", "messages": [{"role": "user", "content": "Hello"}]}' -i\n\n""")
        for node in cluster.nodes:
            sys.stdout.write(f"  {node.url}  process {node.pid}  {node.folder / 'lynkr.toml'}\n")
        sys.stdout.flush()
        try:
            signal.pause()
        except KeyboardInterrupt:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)  # whoever is impatient would leave half of them running
            sys.stdout.write("\nstopping\n")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:  # while it was starting
        sys.exit(130)
