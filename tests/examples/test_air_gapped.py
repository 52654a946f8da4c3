"""examples/air-gapped: nothing is called but this machine, and lynkr is installed from a folder of wheels."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from lynkr_core.config import parse
from tests.examples.running import EXAMPLES
from tests.examples.sealed import SEAL
from tests.test_packaging import ROOT, UV

FOLDER = EXAMPLES / "air-gapped"
SEALED = ["unshare", "--map-root-user", "--net"]
SMALL = ["lynkr-core", "lynkr-provider-ollama", "lynkr-policy-data", "lynkr-selector-tiers"]
"""Of the packages, so many that their wheels can be fetched in a few seconds."""
TOML = """
[provider.ollama]
models = ["llama3.2"]
[[policy.data.local_only]]
[tiers]
simple = ["ollama/llama3.2"]
[selector.tiers]
"""
WATCHED = """
import os, sys
sys.modules["uvloop"] = None  # its sockets are not Python's
OWN = ("127.", "::1", "localhost", "/", "\\0")

def outside(address):
    host = address[0] if isinstance(address, tuple) else address
    return host is not None and not str(host).startswith(OWN)

def note(event, arguments):
    where = {"socket.connect": 1, "socket.sendto": 1, "socket.sendmsg": 1, "socket.getaddrinfo": 0, "socket.gethostbyname": 0}.get(event)
    if where is not None and arguments[where] and outside(arguments[where]):
        with open(os.environ["SEAL_FILE"], "a") as seal:
            seal.write(f"{event} {arguments[where]}\\n")
        raise OSError(101, "Network is unreachable")

sys.addaudithook(note)
"""
"""For machines where no network namespace can be made: what Python's sockets are asked for outside this machine is noted, and refused."""


def namespaces() -> bool:
    return bool(shutil.which("unshare")) and subprocess.run([*SEALED, "true"], capture_output=True).returncode == 0


def run(*command: object, sealed: bool = False, **environ: str) -> str:
    words = [*(SEALED if sealed else []), *[str(word) for word in command]]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, env=os.environ | environ, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_nothing_but_this_machine_is_ever_called(tmp_path):
    command, environ = [sys.executable, "-m", "tests.examples.sealed", tmp_path], {"PYTHONPATH": str(ROOT)}
    if not namespaces():
        (tmp_path / "sitecustomize.py").write_text(WATCHED)
        environ = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", SEAL: str(tmp_path / "seal")}
    told = json.loads(run(*command, sealed=namespaces(), **environ).splitlines()[-1])
    refused, why = told.pop("cloud")
    assert (refused, "local models only: air gap" in why) == (403, True)
    assert told == {
        "easy": [200, "ollama", "miss"], "hard": [200, "gpu", "miss"], "again": [200, None, "semantic"], "stream": [200, "ollama", "miss"],
        "count": [200, True], "page": [200, False], "outbound": 0, "noticed": 1,
    }  # fmt: skip


def test_the_list_of_packages_is_that_of_the_configuration():
    listed = {line.partition("[")[0] for line in (FOLDER / "requirements.txt").read_text().split()}
    tables = parse((FOLDER / "lynkr.toml").read_text(), {}).plugins
    wanted = {f"lynkr-{table.kind}" if table.use == "default" else f"lynkr-{table.kind}-{table.use}" for table in tables}
    assert listed == wanted | {"lynkr-core"}
    assert not re.search(r"https?://(?!10\.)", (FOLDER / "lynkr.toml").read_text().replace("http://127.0.0.1", ""))


def test_it_is_installed_from_a_folder_of_wheels_without_any_network(tmp_path):
    wheels, env = tmp_path / "wheelhouse", tmp_path / "env"
    (tmp_path / "requirements.txt").write_text("\n".join(SMALL))
    (tmp_path / "lynkr.toml").write_text(TOML)
    run(
        FOLDER / "wheelhouse.sh",
        wheels,
        tmp_path / "requirements.txt",
        UV=UV,
        PATH=f"{Path(UV).parent}{os.pathsep}{os.environ['PATH']}",
    )
    names = {path.name.partition("-")[0] for path in wheels.glob("*.whl")}
    assert {"lynkr_core", "lynkr_policy_data", "starlette"} <= names
    assert "lynkr_provider_openai" not in names
    run(UV, "venv", "-q", "--no-project", "--python", sys.executable, env)
    pip = [UV, "run", "-q", "--offline", "--no-project", "--with", "pip", "python", "-m", "pip", "--python", env / "bin/python"]
    install = [*pip, "install", "-q", "--no-compile", "--no-index", "--find-links", wheels, "-r", wheels / "requirements.txt"]
    run(*install, sealed=namespaces(), PIP_INDEX_URL="http://127.0.0.1:9")
    assert "lynkr.toml: good" in run(env / "bin/lynkr", "check", "--config", tmp_path / "lynkr.toml", sealed=namespaces())
