"""Builds the documentation as a web site: these pages, the README and those of all plugins.

python core/docs/site.py FOLDER     writes the site there; ends with status 1 for any warning
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "core/docs"
LINK = re.compile(r"(\]\()([^)#\s]+)((?:#[^)]*)?\))")
PAGES = (
    ("Start", "index.md"), ("The journey", "guide.md"), ("Clients", "recipes.md"), ("lynkr.toml", "config.md"), ("Plugins", "plugins.md"),
    ("Your own scorer", "tutorial.md"), ("Contract suites", "contracts.md"),
    ("Dialects", "dialects.md"), ("Faults", "faults.md"), ("Operations", "operations.md"), ("Security", "security.md"), ("Hooks", "hooks.md"),
    ("Evaluating", "authors.md"), ("Compared", "comparison.md"),
)  # fmt: skip
CONFIG = """\
[project]
site_name = "lynkr"
site_description = "A self-hosted LLM gateway made of plugins"
docs_dir = "docs"
site_dir = "site"
use_directory_urls = false
nav = [
{nav}
]

[project.theme]
variant = "modern"
font = false

[[project.theme.palette]]
media = "(prefers-color-scheme: light)"
scheme = "default"

[[project.theme.palette]]
media = "(prefers-color-scheme: dark)"
scheme = "slate"
"""


def main(site: Path) -> int:
    """Builds into `site`; the builder's status."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sources = gathered()
        for target, source in sources.items():
            page = folder / "docs" / target
            page.parent.mkdir(parents=True, exist_ok=True)
            if source.suffix == ".md":
                page.write_text(relinked(source, target, {path: place for place, path in sources.items()}), encoding="utf-8")
            else:
                shutil.copyfile(source, page)
        (folder / "zensical.toml").write_text(CONFIG.format(nav=nav(sources)), encoding="utf-8")
        command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "-f", "zensical.toml"]
        status = subprocess.run(command, cwd=folder, check=False).returncode  # noqa: S603
        if status == 0:
            shutil.copytree(folder / "site", site, dirs_exist_ok=True)
        return status


def gathered() -> dict[str, Path]:
    """Each page of the site by its place in it."""
    own = {place: DOCS / place for _, place in PAGES[1:]}
    decisions = {f"adr/{path.name}": path for path in sorted((DOCS / "adr").glob("*.md"))}
    plugins = {f"plugins/{path.parent.name}.md": path for path in sorted((ROOT / "plugins").glob("*/README.md"))}
    more = {f"plugins/{path.parent.name}-model.md": path for path in sorted((ROOT / "plugins").glob("*/MODEL.md"))}
    examples = {"examples/index.md": ROOT / "examples/README.md"}
    examples |= {f"examples/{path.parent.name}.md": path for path in sorted((ROOT / "examples").glob("*/README.md"))}
    pictures = {path.name: path for path in sorted(DOCS.glob("*.png"))}
    return {"index.md": ROOT / "README.md", **own, **pictures, **plugins, **more, **examples, **decisions}


def relinked(source: Path, target: str, places: dict[Path, str]) -> str:
    """A page whose links lead to the same pages on the site; a link to what is not on it becomes its words."""

    def moved(match: re.Match[str]) -> str:
        if "://" in match[2]:
            return match[0]
        place = places.get((source.parent / match[2]).resolve())
        return (
            f"{match[1]}{'../' * target.count('/')}{place}{match[3]}"
            if place
            else f"{match[1]}{'../' * target.count('/')}index.md)"
        )

    return LINK.sub(moved, source.read_text(encoding="utf-8"))


def nav(sources: dict[str, Path]) -> str:
    """The table of contents."""
    lines = [f'  {{ "{title}" = "{place}" }},' for title, place in PAGES]
    for title, beginning in (("Each plugin", "plugins/"), ("Examples", "examples/"), ("Decisions", "adr/")):
        inner = ", ".join([f'"{place}"' for place in sources if place.startswith(beginning)])
        lines.append(f'  {{ "{title}" = [{inner}] }},')
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
