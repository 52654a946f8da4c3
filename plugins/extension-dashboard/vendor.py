"""Fetches the libraries of the page from npm, by its own client, and writes down what they are: `python vendor.py`, then `git diff`.

Each is the file that was published but for one change, so that a page without a build step and without scripts inside it can import it:
a neighbour is imported by its place instead of its bare name, and the small build of the chart library says what it exports.
"""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

FOLDER = Path(__file__).parent / "src/lynkr_extension_dashboard/assets/vendor"
PIECES = (
    ("preact", "11.2.0", "MIT", "dist/preact.mjs", "preact.js"),
    ("preact", "11.2.0", "MIT", "hooks/dist/hooks.mjs", "hooks.js"),
    ("htm", "3.1.1", "Apache-2.0", "dist/htm.mjs", "htm.js"),
    ("uplot", "1.6.32", "MIT", "dist/uPlot.iife.min.js", "uplot.js"),
    ("uplot", "1.6.32", "MIT", "dist/uPlot.min.css", "uplot.css"),
)
CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "hooks.js": lambda published: published.replace(b'from"preact"', b'from"./preact.js"'),
    "uplot.js": lambda published: published + b"export default uPlot;\n",
}


def fetched(name: str, version: str, into: Path) -> tarfile.TarFile:
    command = ["npm", "pack", "--silent", f"{name}@{version}"]
    told = subprocess.run(command, cwd=into, check=True, capture_output=True, text=True)  # noqa: S603
    return tarfile.open(into / told.stdout.strip())


def content(package: tarfile.TarFile, name: str) -> bytes:
    file = package.extractfile(f"package/{name}")
    assert file is not None, f"{name} is no file"
    return file.read()


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    rows: list[str] = ["# Written by vendor.py; checked by tests/test_assets.py.\n"]
    with tempfile.TemporaryDirectory() as folder:
        for name, version, licence, source, file in PIECES:
            with fetched(name, version, Path(folder)) as package:
                published = content(package, source)
                (FOLDER / f"LICENSE.{name}").write_bytes(content(package, "LICENSE"))
            kept = CHANGES.get(file, bytes)(published)
            (FOLDER / file).write_bytes(kept)
            rows.append(f'\n[[file]]\nname = "{file}"\npackage = "{name}"\nversion = "{version}"\nlicence = "{licence}"\n')
            rows.append(
                f'source = "{source}"\npublished = "{sha256(published).hexdigest()}"\nsha256 = "{sha256(kept).hexdigest()}"\n'
            )
    (FOLDER / "vendor.toml").write_text("".join(rows))


if __name__ == "__main__":
    main()
