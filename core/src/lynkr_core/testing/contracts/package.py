"""What every package around a plugin must keep to: ruff and the type checker are content, and it does what its `lynkr.toml` shows.

    class TestPackage(PackageContract):
        folder = Path(__file__).parent.parent

So `python -m pytest` is the one command that checks everything. Needs ruff and basedpyright, with the settings of the package's own
`pyproject.toml`.
"""

from __future__ import annotations

import inspect
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from lynkr_core.cli.inspecting import check
from lynkr_core.order import KINDS, group
from lynkr_core.plugins import manifest
from lynkr_core.testing.process import environment

HEADINGS = ("## Install", "## Configure", "## Limits")


class PackageContract:
    """`folder`: where `pyproject.toml`, `README.md` and a `lynkr.toml` lie that switches the plugin on."""

    folder: ClassVar[Path]

    def project(self) -> dict[str, Any]:
        return tomllib.loads((self.folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    def plugins(self) -> Iterator[tuple[str, str]]:
        """Kind and name of every plugin that the package says it has."""
        groups: dict[str, dict[str, str]] = self.project().get("entry-points", {})
        for kind in KINDS:
            yield from [(kind, name) for name in groups.get(group(kind), {})]

    def tool(self, *command: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=self.folder, env=environment(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def test_its_plugins_are_installed_and_can_be_imported(self) -> None:
        found = list(self.plugins())
        assert found, "pyproject.toml has no entry point of a group such as lynkr.scorer"
        for kind, name in found:
            manifest(kind, name)

    def test_its_readme_says_how_to_install_and_configure_it_and_what_it_cannot_do(self) -> None:
        readme = (self.folder / "README.md").read_text(encoding="utf-8")
        assert readme.startswith(f"# {self.project()['name']}\n")
        assert [heading for heading in HEADINGS if heading not in readme] == []

    def test_its_readme_names_every_setting_of_its_own(self) -> None:
        """Those that its struct inherits are described where they are from."""
        readme = (self.folder / "README.md").read_text(encoding="utf-8")
        own = [key for kind, name in self.plugins() for key in inspect.get_annotations(manifest(kind, name).config)]
        assert [key for key in own if f"`{key}`" not in readme] == []

    def test_lynkr_check_finds_no_mistake_in_its_configuration(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(self.folder)
        check()
        enabled = capsys.readouterr().out.splitlines()[0]
        assert any(f" {kind}." in enabled for kind, _ in self.plugins()), f"its lynkr.toml does not switch it on: {enabled}"

    def test_ruff_has_nothing_to_say(self) -> None:
        self.tool("ruff", "check", "--no-cache", ".")

    def test_it_is_formatted(self) -> None:
        self.tool("ruff", "format", "--no-cache", "--check", ".")

    def test_its_types_are_right(self) -> None:
        self.tool("basedpyright", "--pythonpath", sys.executable)
