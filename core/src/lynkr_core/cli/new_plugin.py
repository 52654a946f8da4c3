"""`lynkr new-plugin`: the files of `template/`, which copier renders too, without copier.

What is understood of copier's language: `{{ name }}` in texts and paths, and a line that includes a file of the kind.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from lynkr_core.config import suggestion
from lynkr_core.errors import ConfigError
from lynkr_core.plugins import aliases, installed

TEMPLATE = Path(__file__).parent / "template"
SUFFIX = ".jinja"
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LONGEST = 40
VALUE = re.compile(r"\{\{ (\w+) \}\}")
INCLUDE = re.compile(r'\{% include "kinds/" ~ kind ~ "/([\w.]+)" %\}\n')


def new_plugin(kind: str, name: str, *, into: Path = Path()) -> None:
    """Write the skeleton of a plugin of your own: a package that passes its contract suite.

    Args:
        kind: scorer, provider, selector, sink, policy, compressor, cache, auth, extension, store, catalog, tokens or dialect.
        name: Its name in lynkr.toml: lower-case words joined by "-".
        into: The directory that gets a new directory KIND-NAME.
    """
    mistakes = [*kind_mistakes(kind), *name_mistakes(name)]
    if name in {*installed(kind), *aliases(kind)}:
        mistakes.append(f"a {kind} {name!r} is installed already, which yours would replace; take another name")
    folder = into / f"{kind}-{name}"
    if not mistakes and (folder.exists() or folder.is_symlink()):
        mistakes.append(f"{folder} is already there; take another name, or --into another directory")
    if mistakes:
        raise ConfigError(mistakes)
    write(folder, render(kind, name))
    # --group needs pip 25.1, and Python 3.11 to 3.13 come with an older one
    sys.stdout.write(
        f"wrote {folder}; next: cd {folder} && pip install -q -U pip && pip install -e . --group dev && python -m pytest\n"
    )


def kinds() -> list[str]:
    """The kinds there are templates for."""
    return sorted(folder.name for folder in (TEMPLATE / "kinds").iterdir())


def kind_mistakes(kind: str) -> Iterator[str]:
    if kind not in kinds():
        yield f"there is no template for a plugin of the kind {kind!r}{suggestion(kind, kinds())}"


def name_mistakes(name: str) -> Iterator[str]:
    if not NAME.fullmatch(name) or len(name) > LONGEST:
        better = "-".join(re.findall("[a-z0-9]+", name.lower())).lstrip("0123456789-")[:LONGEST].strip("-")
        hint = f'; did you mean "{better}"?' if better else ""
        yield f'the name {name!r} must be lower-case letters and digits in words joined by "-", at most {LONGEST} characters{hint}'


def render(kind: str, name: str) -> dict[str, str]:
    """The text of every file by its path in the new package."""
    values = {
        "kind": kind,
        "name": name,
        "description": f"{name}: a {kind} plugin for lynkr.",
        "module": f"lynkr_{kind}_{name.replace('-', '_')}",
        "class_name": "".join(word.capitalize() for word in [*name.split("-"), kind]),
    }
    package = TEMPLATE / "package"
    files = sorted(path for path in package.rglob("*") if path.is_file())
    return {filled(path.relative_to(package).as_posix(), values).removesuffix(SUFFIX): text(path, values) for path in files}


def text(path: Path, values: Mapping[str, str]) -> str:
    """A file of the template, filled in; files without the suffix stay as they are."""
    source = path.read_text(encoding="utf-8")
    if path.suffix != SUFFIX:
        return source
    return filled(INCLUDE.sub(lambda match: part(values["kind"], match.group(1)), source), values)


def part(kind: str, file: str) -> str:
    return (TEMPLATE / "kinds" / kind / file).read_text(encoding="utf-8")


def filled(source: str, values: Mapping[str, str]) -> str:
    return VALUE.sub(lambda match: values[match.group(1)], source)


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Writes a new directory. Raises `ConfigError` where that cannot be done."""
    try:
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8", newline="\n")
    except OSError as error:
        raise ConfigError([f"{folder}: cannot be written: {error.strerror}"]) from None
