"""What all suites have in common."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from msgspec import Struct

from lynkr_core.cli.doctor.own import convert
from lynkr_core.errors import ConfigError
from lynkr_core.plugins import API, Context, Plugin, check_signature
from lynkr_core.testing import factories
from lynkr_core.testing.calls import hooks_of

META = "test_no_standard_test_was_removed_or_overridden"


class Contract:
    """A suite of standard tests over one plugin."""

    kind: ClassVar[str]
    hook: ClassVar[str | None] = None
    """The hook without which a plugin of this kind does nothing."""
    plugin: Plugin
    """What the package's entry point names."""
    table: Mapping[str, Any] = {}
    """Its table in `lynkr.toml`, as small as it can be."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if META in vars(cls):
            raise TypeError(f"{cls.__name__} must not override {META}")

    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    def make_table(self, directory: Path) -> Mapping[str, Any]:
        """The table for one test; for plugins that need a file or a free name in an empty `directory`."""
        return self.table

    def settings(self, directory: Path) -> Mapping[str, Any]:
        """The table with what the suite itself puts in."""
        return self.make_table(directory)

    def make_context(self) -> Context:
        """The context for one test."""
        return factories.context("contract", self.kind)

    def make(self, directory: Path) -> Any:
        """A new instance."""
        return factories.build(self.plugin, self.settings(directory), self.make_context())

    def test_no_standard_test_was_removed_or_overridden(self) -> None:
        changed = [name for name in standard_tests(type(self)) if not is_intact(type(self), name)]
        assert not changed, (
            f"{type(self).__name__} removes or overrides {', '.join(changed)}; "
            'say why with @pytest.mark.xfail(reason="…", strict=True)'
        )

    def test_it_was_written_for_this_api(self) -> None:
        assert isinstance(self.plugin, Plugin)
        assert self.plugin.api == API

    def test_its_settings_are_a_struct_without_surprises(self, tmp_path: Path) -> None:
        assert issubclass(self.plugin.config, Struct)
        table = self.settings(tmp_path)
        factories.configure(self.plugin, table)
        with pytest.raises(ConfigError, match="unknown key"):
            factories.configure(self.plugin, {**table, "no_such_key": 1})

    def test_its_hooks_have_the_right_parameters(self, tmp_path: Path) -> None:
        instance = self.make(tmp_path)
        found = hooks_of(instance)
        assert self.hook is None or self.hook in found, f"a {self.kind} needs the hook {self.hook}"
        for name in found:
            check_signature(name, inspect.getattr_static(instance, name))

    def test_what_it_tells_the_doctor_is_findings(self, tmp_path: Path) -> None:
        instance = self.make(tmp_path)
        if hasattr(instance, "doctor"):
            assert list(inspect.signature(instance.doctor).parameters) == ["live"]
            before = set(tmp_path.iterdir())
            answer = instance.doctor(False)
            if not inspect.isawaitable(answer):
                convert(answer)
            assert set(tmp_path.iterdir()) == before, "a look must leave nothing behind"

    def test_two_instances_share_nothing(self, tmp_path: Path) -> None:
        assert self.make(tmp_path) is not self.make(tmp_path)


def standard_tests(suite: type) -> dict[str, Any]:
    """The tests that the suites of this package define, as they stand in the class nearest to the plugin's."""
    package = __name__.rpartition(".")[0] + "."
    found: dict[str, Any] = {}
    for base in suite.__mro__:
        if base.__module__.startswith(package):
            for name, function in vars(base).items():
                if name.startswith("test_"):
                    found.setdefault(name, function)
    return found


def is_intact(suite: type, name: str) -> bool:
    """Whether the standard test is still the suite's own, or was replaced by one that is openly expected to fail."""
    actual = inspect.getattr_static(suite, name, None)
    return actual is standard_tests(suite)[name] or (inspect.isfunction(actual) and is_expected_to_fail(actual))


def is_expected_to_fail(function: Any) -> bool:
    marks: list[Any] = getattr(function, "pytestmark", [])
    return any(mark.name == "xfail" and mark.kwargs.get("reason") and mark.kwargs.get("strict") is True for mark in marks)
