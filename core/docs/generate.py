"""Writes the generated pages: hooks, configuration, the plugin list, contract suites, and the tables in the plugins' READMEs.

python core/docs/generate.py            writes them
python core/docs/generate.py --check    ends with status 1 when one is stale
"""

import importlib
import inspect
import pkgutil
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from msgspec import NODEFAULT, Meta, Struct, structs

from lynkr_core import hookspecs
from lynkr_core.hooks import HOOKS
from lynkr_core.order import KINDS
from lynkr_core.plugins import manifest
from lynkr_core.settings import Limits, Routing, Server, TierTable
from lynkr_core.testing import contracts, firing

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "core/docs"
NOTE = "<!-- Written by core/docs/generate.py; change the code it is read from. -->\n\n"
CONTRACTS = """\
What every plugin of a kind must keep to, as tests that come with `lynkr-core`. A suite is subclassed in the plugin's own tests and told
what the plugin is:

    from lynkr_core.testing.contracts.scorer import ScorerContract
    from lynkr_scorer_mine import plugin

    class TestMine(ScorerContract):
        plugin = plugin             # what the package's entry point names
        table = {"threshold": 10}   # its table in lynkr.toml, as small as it can be

`python -m pytest` then runs it. It needs `pytest`; the suite for compressors needs `hypothesis`, that for packages `ruff` and
`basedpyright`. What `lynkr new-plugin` writes has all of it. A plugin that needs a file, a free name or a server for its table overrides
`make_table(directory)`; one that needs more of the kernel overrides `make_context()`.

What a plugin cannot do is said by the class attributes that each suite names, and its tests are skipped. A standard test may only be
overridden with `@pytest.mark.xfail(reason="…", strict=True)`: an exception to the contract is written down, and noticed when it is gone.

Fixtures for tests beside them come with `pytest -p lynkr_core.testing.plugin`: `scripted_provider`, a real HTTP server that answers as
told, and `client`, which talks to an app in the same process. `lynkr_core.testing.factories` makes exchanges, candidates, outcomes and
plugin instances; `lynkr_core.testing.process` runs a whole gateway.
"""


def hooks_page() -> str:
    """Every hook with its signature and what hookspecs.py says of it."""
    out = ["# Hooks\n\n", NOTE, inspect.getdoc(hookspecs) or "", "\n"]
    for name in HOOKS:
        function = getattr(hookspecs, name)
        out.append(f"\n## `{name}`\n\n```\n{name}{signature(function)}\n```\n\n{inspect.getdoc(function)}\n")
    return "".join([*out, *how_often()])


def how_often() -> Iterator[str]:
    """The tables of firing.py, as tests/firing holds the gateway to them."""
    yield f"\n## How often each hook is called\n\n{inspect.getdoc(firing)}\n\n"
    yield "".join([f"- *{name}*: {text}.\n" for name, text in (*firing.SITUATIONS.items(), *firing.ATTEMPTS.items())])
    for one in firing.TABLES:
        yield f"\n### {one.title}\n\n{one.text}\n\n| | {' | '.join(one.columns)} |\n|---|{'---|' * len(one.columns)}\n"
        for hook, row in one.rows.items():
            if hook not in firing.AT_START:
                cells = [cell.replace("-/", "–/").replace("/-", "/–").replace("–/–", "–") for cell in row.split()]
                yield f"| `{hook}` | {' | '.join(['–' if cell == '-' else cell for cell in cells])} |\n"


def signature(function: Any) -> str:
    return re.sub(r"'", "", str(inspect.signature(function)))


def config_page() -> str:
    """The sections that belong to the core."""
    out = ["# lynkr.toml\n\n", NOTE, "The tables of plugins are described in their READMEs; see [the list](plugins.md).\n"]
    for section, struct in (("server", Server), ("routing", Routing), ("routing.limits", Limits), ("tiers", TierTable)):
        out.append(f"\n## `[{section}]`\n\n{table(struct)}")
    out.append(
        "\n## `[models]`\n\nA name that callers may ask for and selectors may send to, and the candidates tried in order: "
        '`"fast" = ["local/llama3.2", "openai/gpt-5.4-mini"]`.\n'
        "\n## `[prices]`\n\nUSD per million tokens by `provider/model` or bare model: "
        '`"local/llama3.2" = { input = 0, output = 0 }`. Also `cache_read`, `cache_write`, `cache_write_1h`, `per_request` (USD), and\n'
        "`tiers`, what a whole request costs whose input is longer: `[{ above = 272_000, input = 8, output = 30 }]`. Tokens of\n"
        "`reasoning`, `audio_input`, `audio_output` and `image_output` where they cost something else; `fees`, USD for each use of a tool of the\n"  # noqa: E501
        "provider's, as in `{ web_search = 0.01 }`; `services`, what another service tier costs: `{ priority = { input = 4, output = 16 } }`;\n"  # noqa: E501
        "`hours`, what it costs at some hours of the day (UTC, in minutes): `[{ days = [6, 7], begin = 0, end = 1440, input = 1, output = 2 }]`.\n"  # noqa: E501
        '\n## `[order]`\n\nThe rank of a plugin instance, instead of its kind\'s: `"policy.mine" = 15`.\n'
    )
    return "".join(out)


def table(struct: type[Struct]) -> str:
    """A config Struct as a table of key, type, default and meaning."""
    rows = ["| key | type | default | what |\n|---|---|---|---|\n"]
    hints = get_type_hints(struct, include_extras=True)
    for field in structs.fields(struct):
        kind, text = described(hints[field.name])
        rows.append(f"| `{field.encode_name}` | {kind} | {default(field)} | {text} |\n")
    return "".join(rows) if len(rows) > 1 else "It has no settings.\n"


def described(hint: Any) -> tuple[str, str]:
    """The type in words and the description."""
    text = ""
    if get_origin(hint) is Annotated:
        hint, *marks = get_args(hint)
        text = next((mark.description or "" for mark in marks if isinstance(mark, Meta)), "")
    name = hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint)
    return re.sub(r"(?<!['\w.])(?:[a-z_]+\.)+(?=[A-Za-z])", "", name).replace(" | None", "").replace("|", "or"), text


def default(field: structs.FieldInfo) -> str:
    if field.default is not NODEFAULT:
        return "" if field.default is None else f"`{field.default!r}`"
    return f"`{field.default_factory()!r}`" if field.default_factory is not NODEFAULT else "required"


def plugin_folders() -> Iterator[tuple[Path, str, str]]:
    for folder in sorted((ROOT / "plugins").iterdir()):
        kind, _, name = folder.name.partition("-")
        yield folder, kind, name or "default"


def plugins_page() -> str:
    """Every plugin of this repository."""
    out = ["# Plugins\n\n", NOTE, "| kind | plugin | what | install | options |\n|---|---|---|---|---|\n"]
    for folder, kind, name in plugin_folders():
        what = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["description"]
        page = f"../../plugins/{folder.name}/README.md"
        install = f"`pip install lynkr-{folder.name}`"
        out.append(f"| {kind} | [`{name}`]({page}) | {what} | {install} | [options]({page}#configure) |\n")
    return "".join(out)


def contracts_page() -> str:
    """Every contract suite: what it is told, and what it sees to."""
    out = ["# Contract suites\n\n", NOTE, CONTRACTS]
    for kind, suite in suites():
        out.append(
            f"\n## {heading(kind, suite)}\n\n    from {suite.__module__} import {suite.__name__}\n\n{inspect.getdoc(suite)}\n\n"
        )
        out += [f"- {line}\n" for line in seen_to(suite)]
    return "".join(out)


def suites() -> list[tuple[str, type]]:
    """Each suite by its kind, in the order of kinds; that of all plugins and that of packages first."""
    found: dict[type, str] = {}
    for module in pkgutil.iter_modules(contracts.__path__):
        members = vars(importlib.import_module(f"{contracts.__name__}.{module.name}")).values()
        classes = [one for one in members if inspect.isclass(one) and one.__name__.endswith("Contract")]
        found |= {one: getattr(one, "kind", "") for one in classes if one.__module__.startswith(contracts.__name__)}
    return sorted([(kind, suite) for suite, kind in found.items()], key=lambda pair: (KINDS.get(pair[0], -1), pair[1].__name__))


def heading(kind: str, suite: type) -> str:
    return f"{kind}: `{suite.__name__}`" if kind else f"`{suite.__name__}`"


def seen_to(suite: type) -> list[str]:
    """The suite's own tests as sentences; what is inherited stands at the suite it is from."""
    names = [name for name, value in vars(suite).items() if name.startswith("test_") and inspect.isfunction(value)]
    more = [base for base in suite.__mro__[1:] if base.__name__.endswith("Contract")]
    return [name.removeprefix("test_").replace("_", " ") for name in names] + [
        f"and all of `{base.__name__}`" for base in more[:1]
    ]


def readme(folder: Path, kind: str, name: str) -> str:
    """A plugin's README with its configuration table filled in."""
    text = (folder / "README.md").read_text()
    filled = f"<!-- config -->\n{table(manifest(kind, name).config)}<!-- /config -->"
    return re.sub(r"<!-- config -->.*<!-- /config -->", lambda _: filled, text, flags=re.DOTALL)


def pages() -> dict[Path, str]:
    found = {
        DOCS / "hooks.md": hooks_page(),
        DOCS / "config.md": config_page(),
        DOCS / "plugins.md": plugins_page(),
        DOCS / "contracts.md": contracts_page(),
    }
    return found | {folder / "README.md": readme(folder, kind, name) for folder, kind, name in plugin_folders()}


def stale() -> list[Path]:
    """Pages whose text is not what would be written."""
    return [path for path, text in pages().items() if not path.exists() or path.read_text() != text]


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit("\n".join(f"stale: {path.relative_to(ROOT)}" for path in stale()))
    for path, text in pages().items():
        path.write_text(text)
