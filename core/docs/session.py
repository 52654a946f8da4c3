"""Writes the terminal session in README.md: its commands are run, and what they say is put there.

python core/docs/session.py            writes it
python core/docs/session.py --check    ends with status 1 when lynkr says something else by now
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from lynkr_core.testing.process import gateway, lynkr

ROOT = Path(__file__).parent.parent.parent
README = ROOT / "README.md"
ADDRESS = "127.0.0.1:8081"
BLOCK = re.compile(r"(?<=<!-- session -->\n```console\n).*?(?=```\n<!-- /session -->)", re.DOTALL)
UP = re.compile(r"^python3 -m venv .* lynkr up$", re.MULTILINE)
ASK = """curl -si http://127.0.0.1:8081/v1/chat/completions -H "content-type: application/json" \\
    -d '{"model": "auto", "messages": [{"role": "user", "content": "Prove that the square root of two is irrational"}]}' \\
  | grep -oE 'x-lynkr-(request|tier|score|reason|provider|model).*|"content":"[^"]*"'
"""
CHANGING = re.compile(r"req_[0-9a-f]+|echo_[0-9a-f]+|begins:[0-9a-f]+|\d+\.\d+ s")
"""What is another one each time."""


def session() -> str:
    """In an empty folder, without keys. Only the address and the name of the command differ from what README says."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with gateway("up", cwd=folder) as running:
            command = ASK.replace(ADDRESS, running.address)
            answer = subprocess.run(command, shell=True, capture_output=True, text=True, check=True).stdout.replace("\r", "")  # noqa: S602
            running.stop()  # the journal is written
            said = running.said.replace(running.address, ADDRESS)
        id = re.search(r"request-id: (\S+)", answer)
        assert id is not None
        explained = lynkr("explain", id[1], cwd=folder)
        assert explained.returncode == 0, explained.stderr
    first = UP.search(README.read_text())
    assert first is not None
    return f"$ {first[0]}\n{said}\n$ {ASK}{answer}\n$ lynkr explain {id[1]}\n{explained.stdout}"


def usual(text: str) -> str:
    return CHANGING.sub("…", text)


def stale() -> bool:
    """Whether README shows another session than there would be now."""
    shown = BLOCK.search(README.read_text())
    return shown is None or usual(shown[0]) != usual(session())


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit("stale: README.md" if stale() else 0)
    README.write_text(BLOCK.sub(lambda _: session(), README.read_text()))
