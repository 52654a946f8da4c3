"""Runs examples/air-gapped where there is no network but 127.0.0.1, and prints as JSON what came of it.

python -m tests.examples.sealed FOLDER

In a network namespace of its own the kernel counts each attempt to reach anything else (`OutNoRoutes`), whoever makes it. Outside of one,
`SEAL_FILE` names a file that has a line for each that Python's own sockets were asked for.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import socket
import struct
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from lynkr_core.request import Text
from lynkr_core.testing.canned import MODELS, Script, encoded
from lynkr_core.testing.saying import saying
from lynkr_core.testing.scripted import ScriptedProvider
from tests.examples.running import Example, chat, client, messages

SEAL = "SEAL_FILE"
SIOCSIFFLAGS, IFF_UP, IFF_RUNNING = 0x8914, 0x1, 0x40
OUTSIDE = ("192.0.2.1", 80)  # an address for documentation, RFC 5737
TAGS = Script(body=encoded({"models": [{"name": "llama3.2", "model": "llama3.2"}]}))
EASY = "What is the boiling point of water at the top of the highest mountain in the Alps?"
HARD = "Prove that there are infinitely many primes of the form 4k + 3, and show every step."
GREETINGS = [f"{word}{sign} w{EASY[1:]}" for word in ("Hi", "Hello", "Hey", "Thanks", "Please", "Hi there") for sign in ",!"]
"""The same question in other words, each once: an identical one would be found without an embedder."""
CLOUD = """
[provider.cloud]
use = "openai-compatible"
base_url = "https://llm.example.com/v1"
models = ["large"]
"""
"""What somebody has written into the file all the same."""


def main(folder: Path) -> None:
    if SEAL not in os.environ:
        raise_loopback()
    told = asyncio.run(asked(folder))
    told["outbound"] = outbound()
    with suppress(OSError), socket.socket() as probe:
        probe.settimeout(1)
        probe.connect(OUTSIDE)
    told["noticed"] = outbound() - told["outbound"]
    print(json.dumps(told))


def raise_loopback() -> None:
    """A new namespace has 127.0.0.1, but it is down."""
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP | IFF_RUNNING))


def outbound() -> int:
    """How often something that is not this machine was to be reached."""
    if seal := os.environ.get(SEAL):
        return len(Path(seal).read_text().splitlines()) if Path(seal).exists() else 0
    names, values = [line.split() for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Ip: ")]
    six = Path("/proc/net/snmp6")  # only where the kernel has IPv6
    more = dict(line.split() for line in six.read_text().splitlines()) if six.exists() else {}
    return int(values[names.index("OutNoRoutes")]) + int(more.get("Ip6OutNoRoutes", 0))


async def asked(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = {}
    async with ScriptedProvider(beside={"/api/tags": TAGS}) as ollama, ScriptedProvider(beside={"/v1/models": MODELS}) as gpu:
        ollama.always(saying("ollama", Text(text="Paris.")))
        example = Example("air-gapped", folder)
        example.file.write_text(f"[server]\nlist_models = false\n{example.file.read_text()}{CLOUD}")
        example.local("ollama", ollama.url)
        example.change("http://10.0.0.5:8000/v1", f"{gpu.url}/v1")
        example.change('"static"  ', '"static"\ndeadline = 4  ')  # a busy machine may take its time
        with example.serve() as running:
            async with client(running) as http:
                told |= {"easy": short(await chat(http, EASY)), "hard": short(await chat(http, HARD))}
                told["again"] = await again(http)
                told["stream"] = short(await messages(http, "And of Italy?", stream=True))
                body = {"model": "auto", "messages": [{"role": "user", "content": EASY}]}
                counted = await http.post("/v1/messages/count_tokens", json=body)
                told["count"] = [counted.status_code, counted.json()["input_tokens"] > 0]
                page = await http.get("/dashboard")
                told["page"] = [page.status_code, "://" in page.text]
                told["cloud"] = short(await chat(http, EASY, model="cloud/large"))
    return told


async def again(http: Any) -> list[Any]:
    """What comes of the same question in other words, once the vector of the first one is there."""
    told: list[Any] = []
    for text in GREETINGS:
        told = short(await chat(http, text))
        if told[2] == "semantic":
            break
        await asyncio.sleep(0.5)
    return told


def short(answer: Any) -> list[Any]:
    told = [answer.status_code, answer.headers.get("x-lynkr-provider"), answer.headers.get("x-lynkr-cache")]
    return told if answer.status_code == 200 else [answer.status_code, answer.text]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
