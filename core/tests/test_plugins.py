from types import SimpleNamespace

import pytest
from msgspec import Struct

from lynkr_core import plugins
from lynkr_core.config import PluginTable
from lynkr_core.errors import PluginError
from lynkr_core.plugins import Loaded, Plugin, Registry, compiled, create, load, manifest


class Config(Struct, forbid_unknown_fields=True):
    limit: int = 3


class Good:
    def __init__(self, config: Config) -> None:
        self.config = config

    def score(self, exchange):
        return 1.0


class Entry:
    def __init__(self, target) -> None:
        self.target, self.value = target, "package:plugin"

    def load(self):
        if isinstance(self.target, Exception):
            raise self.target
        return self.target


@pytest.fixture
def entries(monkeypatch):
    found: dict[str, Entry] = {}
    monkeypatch.setattr(plugins, "installed", lambda kind: found)
    return found


def loaded(instance, kind="scorer", name="x") -> Loaded:
    return Loaded(kind=kind, name=name, use=name, instance=instance)


def table(use: str, **values) -> PluginTable:
    return PluginTable(kind="scorer", name="mine", use=use, table=values)


def refused(cls: type) -> str:
    with pytest.raises(PluginError) as caught:
        Registry().register(cls(), "scorer.x")
    return str(caught.value)


def test_a_plugin_is_configured_and_created(entries):
    entries["good"] = Entry(Plugin(api=1, config=Config, create=Good))
    mistakes = []
    assert load(table("good", limit=5), None, "lynkr.toml", mistakes).instance.config.limit == 5
    assert mistakes == []


def test_mistakes_in_its_table_are_told_with_the_path(entries):
    entries["good"] = Entry(Plugin(api=1, config=Config, create=Good))
    mistakes = []
    load(table("good", limit="x", limt=1), None, "lynkr.toml", mistakes)
    assert mistakes == [
        "lynkr.toml: [scorer.mine] $.limit: expected int, got str",
        'lynkr.toml: [scorer.mine] $.limt: unknown key; did you mean "limit"?',
    ]


def test_a_missing_plugin_says_which_pip_install(entries):
    entries["heuristic"] = Entry(None)
    with pytest.raises(PluginError, match=r'did you mean "heuristic"\?; pip install lynkr-scorer-heurstic'):
        manifest("scorer", "heurstic")


def test_a_broken_import_names_the_plugin_and_the_rest_is_still_reported(entries):
    entries["bad"] = Entry(ImportError("no module named x"))
    mistakes = []
    for name in ("bad", "worse"):
        load(table(name), None, "lynkr.toml", mistakes)
    assert "the scorer plugin 'bad' cannot be imported: ImportError: no module named x" in mistakes[0]
    assert "'worse' is not installed" in mistakes[1]


def test_another_api_is_refused(entries):
    entries["old"] = Entry(Plugin(api=0, config=Config, create=Good))
    with pytest.raises(PluginError, match="written for api 0"):
        manifest("scorer", "old")


def test_a_plugin_that_cannot_start_is_a_mistake(entries):
    def fails(config):
        raise OSError("disk full")

    entries["bad"] = Entry(Plugin(api=1, config=Config, create=fails))
    mistakes = []
    assert load(table("bad"), None, "f", mistakes) is None
    assert mistakes == ["f: [scorer.mine]: the plugin 'bad' could not start: OSError: disk full"]


@pytest.mark.parametrize(
    ("factory", "expected"),
    [(lambda: (), ()), (lambda config: (config,), (1,)), (lambda config, context: (config, context), (1, 2))],
)
def test_a_factory_takes_what_it_wants(factory, expected):
    assert create(Plugin(api=1, config=Config, create=factory), 1, 2) == expected


def test_a_misspelt_hook_is_refused():
    class Misspelt:
        def transform_requst(self, exchange): ...

    assert "did you mean the hook 'transform_request'?" in refused(Misspelt)


def test_an_unknown_argument_is_refused():
    class Unknown:
        def score(self, exhange): ...

    assert "no argument 'exhange'; did you mean \"exchange\"?" in refused(Unknown)


def test_a_default_is_refused():
    class Default:
        def score(self, exchange, candidates=()): ...

    assert "must have no default" in refused(Default)


def test_a_keyword_only_argument_is_refused():
    class Keyword:
        def score(self, *, exchange): ...

    assert "must be a plain parameter" in refused(Keyword)


def test_a_generator_is_refused():
    class Yields:
        def score(self, exchange):
            yield 1

    assert "is a generator" in refused(Yields)


def test_other_methods_are_nobody_elses_business():
    class Other:
        def score(self, exchange): ...
        def help_me(self, a, *, b=1): ...

    Registry().register(Other(), "scorer.x")


def test_order_is_by_kind_then_name_and_can_be_overridden():
    class Gate:
        def pre_route(self, exchange): ...

    found = [loaded(Gate(), "cache", "a"), loaded(Gate(), "policy", "z"), loaded(Gate(), "policy", "b")]
    names = [call.plugin for call in compiled(found, {}, "f", []).pre_route.calls]
    assert names == ["policy.b", "policy.z", "cache.a"]
    assert next(call.plugin for call in compiled(found, {"cache.a": 5}, "f", []).pre_route.calls) == "cache.a"


def test_nobody_looks_into_a_plugin_to_find_its_hooks():
    looked = []

    class Watched:
        def __dir__(self):
            looked.append(self)
            return super().__dir__()

        def score(self, exchange):
            return self

    watched = Watched()
    (call,) = compiled([loaded(watched)], {}, "f", []).score.calls
    assert call.function("exchange", ()) is watched
    assert not any(each is watched for each in looked)


MADE = type("Made", (dict,), {"__eq__": object.__eq__, "__hash__": object.__hash__})
COMPARED = type("Compared", (), {"__eq__": lambda self, other: self.number == other.number})


@pytest.mark.parametrize("base", [MADE, COMPARED])
def test_a_plugin_whose_class_makes_or_compares_its_objects_in_a_way_of_its_own_is_registered_itself(base):
    own = type("Own", (base,), {"score": lambda self, exchange: self})
    found = [loaded(own(), name=str(number)) for number in range(2)]
    for number, plugin in enumerate(found):
        plugin.instance.number = number
    calls = compiled(found, {}, "f", []).score.calls
    assert [call.function("exchange", ()).number for call in calls] == [0, 1]


def test_two_instances_of_one_plugin_keep_their_own_calls():
    found = [loaded(Good(Config(1)), name="a"), loaded(Good(Config(2)), name="b")]
    assert [call.plugin for call in compiled(found, {}, "f", []).score.calls] == ["scorer.a", "scorer.b"]


@pytest.fixture
def named(monkeypatch):
    """Entry points of a package called after `moonshot`, and of one that is called after neither of its names."""
    values = {"kimi": "m:plugin", "moonshot": "m:plugin", "one": "o:plugin", "two": "o:plugin", "single": "s:plugin"}
    dists = {"m:plugin": "lynkr-scorer-moonshot", "o:plugin": "acme-things", "s:plugin": "lynkr-scorer-single"}
    found = [
        SimpleNamespace(name=name, group="lynkr.scorer", value=value, dist=SimpleNamespace(name=dists[value]))
        for name, value in values.items()
    ]
    for entry in found:
        entry.load = lambda entry=entry: Plugin(api=1, config=Config, create=Good)
    monkeypatch.setattr(plugins, "advertised", lambda: found)
    plugins.installed.cache_clear()
    plugins.aliases.cache_clear()
    yield
    plugins.installed.cache_clear()
    plugins.aliases.cache_clear()


@pytest.mark.usefixtures("named")
def test_other_names_of_a_plugin_are_no_plugins():
    assert plugins.aliases("scorer") == {"kimi": "moonshot", "two": "one"}
    assert set(plugins.installed("scorer")) == {"moonshot", "one", "single"}


@pytest.mark.usefixtures("named")
def test_a_plugin_is_found_by_any_of_its_names():
    for name in ("kimi", "moonshot", "two", "single"):
        mistakes = []
        assert load(table(name), None, "lynkr.toml", mistakes).use == name
        assert mistakes == []


@pytest.mark.parametrize(
    ("use", "package"),
    [
        ("kimi", "moonshot"),
        ("grok", "xai"),
        ("gemini", "google"),
        ("aws", "bedrock"),
        ("amazon", "bedrock"),
        ("azure", "azure-openai"),
    ],
)
def test_of_a_missing_plugin_with_another_name_the_right_package_is_told(use, package, monkeypatch):
    monkeypatch.setattr(plugins, "installed", lambda kind: {"groq": Entry(None)})
    monkeypatch.setattr(plugins, "aliases", lambda kind: {})
    with pytest.raises(PluginError, match=f"'{use}' is not installed; pip install lynkr-provider-{package}$"):
        manifest("provider", use)
