"""What is measured: how each target is started and asked. One that cannot be started is reported with the reason."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from .processes import GATEWAY_CORES, HOST, NotStartedError, Process, free_port

ROOT = Path(__file__).resolve().parents[2]
PEERS = Path(tempfile.gettempdir()) / "lynkr-benchmark-peers"
LITELLM_KEY = f"sk-{secrets.token_hex(24)}"
"""LiteLLM does not start without a master key; this one lives as long as the run."""
KEY = "key"
"""A file in a target's folder with the key that its callers show, as `{key}` in `headers`."""
PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}

Command = Callable[[Path, int, int], list[str]]
"""(a folder for files, its own port, the mock's port) → the command line."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """`model` is what callers ask for; `start_limit` in seconds; a peer is somebody else's gateway and asked more gently."""

    name: str
    about: str
    command: Command | None
    model: str = "mock"
    headers: dict[str, str] = {}
    environment: dict[str, str] = {}
    start_limit: float = 15.0
    peer: bool = False


NGINX = """
worker_processes 1; worker_rlimit_nofile 20000; daemon off; pid {folder}/pid; error_log {folder}/error.log warn;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_timeout 120; keepalive_requests 10000000; client_max_body_size 64m; client_body_buffer_size 2m;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream mock {{ server {host}:{upstream}; keepalive 1024; keepalive_requests 10000000; }}
  server {{
    listen {host}:{port} backlog=4096;
    location / {{ proxy_pass http://mock; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }}
  }}
}}
"""
PROVIDER = """
[server]
host = "{host}"
port = {port}
list_models = false

[provider.up]
use = "openai-compatible"
base_url = "http://{host}:{upstream}/v1"
api_key = "x"
"""
TIERS = """
[tiers]
simple = ["up/mock"]
medium = ["up/mock"]
complex = ["up/mock"]
reasoning = ["up/mock"]

[scorer.heuristic]
[selector.tiers]
"""
JOURNAL = """
[store.sqlite]
path = "{folder}/lynkr.db"

[sink.journal]
"""
GOVERNED = """
[prices]
"up/mock" = {{ input = 0.1, output = 0.4 }}

[store.sqlite]
path = "{folder}/lynkr.db"

[auth.keys]

[policy.budget]
[[policy.budget.limit]]
scope = "key:*"
usd = 100000

[policy.ratelimit]
[[policy.ratelimit.limit]]
scope = "key:*"
requests = 100000000

[sink.journal]
"""
LITELLM = """
model_list:
  - model_name: mock
    litellm_params: {{model: hosted_vllm/mock, api_base: "http://{host}:{upstream}/v1", api_key: x}}
litellm_settings: {{telemetry: false}}
"""


def module(name: str, *arguments: str) -> list[str]:
    """The command line of a module of this suite; it runs in `ROOT`."""
    return [sys.executable, "-m", f"tests.benchmarks.{name}", *arguments]


def nginx(folder: Path, port: int, upstream: int) -> list[str]:
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, host=HOST, port=port, upstream=upstream))
    return ["nginx", "-c", str(config), "-p", str(folder), "-e", str(folder / "error.log")]


def bare(folder: Path, port: int, upstream: int) -> list[str]:
    return module("bare", str(port), str(upstream))


def lynkr(*parts: str) -> Command:
    def command(folder: Path, port: int, upstream: int) -> list[str]:
        config = folder / "lynkr.toml"
        config.write_text("".join(parts).format(folder=folder, host=HOST, port=port, upstream=upstream))
        return [sys.executable, "-m", "lynkr_core.cli", "serve", "--config", str(config)]

    return command


def governed(folder: Path, port: int, upstream: int) -> list[str]:
    """With a key of its own, kept beside the configuration for whoever asks."""
    line = lynkr(PROVIDER, GOVERNED)(folder, port, upstream)
    make = [sys.executable, "-m", "lynkr_core.cli", "keys", "create", "benchmark", "--json"]
    made = subprocess.run(make, check=True, capture_output=True, cwd=folder)
    (folder / KEY).write_text(msgspec.json.decode(made.stdout)["key"])
    return line


def litellm(folder: Path, port: int, upstream: int) -> list[str]:
    config = folder / "litellm.yaml"
    config.write_text(LITELLM.format(host=HOST, upstream=upstream))
    return [str(PEERS / "litellm/bin/litellm"), "--config", str(config), "--host", HOST, "--port", str(port)]


def portkey(folder: Path, port: int, upstream: int) -> list[str]:
    script = PEERS / "portkey/node_modules/@portkey-ai/gateway/build/start-server.js"
    # The provider's address is a header of each request; this one is filled in when the target is started.
    return ["node", str(script), f"--port={port}", "--headless"]


DIRECT = Target(name="direct", about="the mock itself", command=None)
OWN = (
    DIRECT,
    Target(name="nginx", about="nginx as reverse proxy, unbuffered, one worker", command=nginx),
    Target(name="bare", about="pure ASGI pass-through on uvicorn", command=bare),
    Target(name="lynkr", about="one provider, no other plugin", command=lynkr(PROVIDER), model="up/mock"),
    Target(name="tiers", about="lynkr with tiers and the heuristic scorer", command=lynkr(PROVIDER, TIERS), model="auto"),
    Target(name="journal", about="the same with a journal in SQLite", command=lynkr(PROVIDER, TIERS, JOURNAL), model="auto"),
    Target(
        name="governed",
        about="lynkr with keys, budget, rate limit and journal in SQLite",
        command=governed,
        model="up/mock",
        headers={"authorization": "Bearer {key}"},
    ),
)
OTHERS = (
    Target(
        name="litellm", about="LiteLLM proxy", command=litellm, peer=True, start_limit=120.0,
        headers={"authorization": f"Bearer {LITELLM_KEY}"},
        environment={"LITELLM_MASTER_KEY": LITELLM_KEY, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"},
    ),
    Target(
        name="portkey", about="Portkey gateway", command=portkey, peer=True, start_limit=60.0,
        headers={
            "authorization": "Bearer x", "x-portkey-provider": "openai", "x-portkey-custom-host": f"http://{HOST}:{{upstream}}/v1",
        },
    ),
)  # fmt: skip


def bytecode(folder: Path) -> dict[str, str]:
    """Has Python keep what it compiled, as where it is installed: where the environment forbids it, each start would compile all."""
    return {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}


class Running:
    """A started target. `started` is seconds from exec to listening."""

    def __init__(self, target: Target, folder: Path, upstream: int) -> None:
        self.target = target
        self.process: Process | None = None
        self.port = upstream
        self.started = 0.0
        if target.command is not None:
            self.start(target.command, folder, upstream)
        key = (folder / KEY).read_text() if (folder / KEY).exists() else ""
        self.headers = {name: value.format(upstream=upstream, key=key) for name, value in target.headers.items()}

    def start(self, command: Command, folder: Path, upstream: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        line = command(folder, self.port, upstream)
        environment = {**bytecode(folder.parent), **self.target.environment}
        self.process = Process(line, folder / "log", cores=GATEWAY_CORES, environment=environment, cwd=ROOT)
        try:
            self.started = self.process.wait_listening(self.port, self.target.start_limit)
        except NotStartedError:
            self.process.stop()
            raise

    def stop(self) -> None:
        if self.process is not None:
            self.process.stop()


def install_peers() -> None:
    """LiteLLM in a virtual environment and Portkey from npm, below the system's folder for temporary files."""
    PEERS.mkdir(exist_ok=True)
    python = PEERS / "litellm/bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(PEERS / "litellm")], check=True)
    commands = (
        [str(python), "-m", "pip", "install", "--quiet", "litellm[proxy]"],
        ["npm", "install", "--no-fund", "--no-audit", "--prefix", str(PEERS / "portkey"), "@portkey-ai/gateway"],
    )
    for command in commands:
        subprocess.run(command, check=True, env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"})
