import pytest

from lynkr_core.config import Config, load, parse
from lynkr_core.errors import ConfigError
from lynkr_core.secret import Secret


def mistakes(text: str, **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text, environ)
    return caught.value.mistakes


def test_an_empty_file_has_the_defaults():
    config = parse("", {})
    assert (config.server.host, config.server.port) == ("127.0.0.1", 8081)
    assert config.tiers.bounds == (25.0, 50.0, 75.0)


def test_a_table_named_kind_name_is_a_plugin():
    (table,) = parse('[provider.local]\nuse = "ollama"\nbase_url = "http://x"', {}).plugins
    assert (table.kind, table.name, table.use, table.table) == ("provider", "local", "ollama", {"base_url": "http://x"})


def test_the_plugin_is_the_name_unless_said_otherwise():
    (table,) = parse("[scorer.heuristic]", {}).plugins
    assert table.use == "heuristic"


def test_every_mistake_is_told_at_once():
    found = mistakes(
        '[server]\nprot = 1\nport = "x"\n[sever]\n[models]\nfast = "x"\n[tiers]\nsimple = ["nobody/m"]\n[order]\n"provider.nobody" = 1'
    )
    assert found == [
        'lynkr.toml: [server] $.prot: unknown key; did you mean "port"?',
        "lynkr.toml: [server] $.port: expected int, got str",
        'lynkr.toml: [sever]: unknown section; did you mean "server"?',
        "lynkr.toml: [models] $.fast: expected array, got str",
        "lynkr.toml: [tiers] $.simple: 'nobody/m': there is no [provider.nobody]",
        "lynkr.toml: [order]: there is no [provider.nobody]",
    ]


def test_a_syntax_error_has_line_and_column():
    assert "line 2" in mistakes("[server]\nport = = 1")[0]


def test_references_are_filled_in():
    text = '[provider.a]\nkey = "${KEY}-${OTHER:-x}"\nlist = ["${KEY}"]'
    (table,) = parse(text, {"KEY": "k"}).plugins
    assert table.table == {"key": "k-x", "list": ["k"]}


def test_a_missing_variable_is_a_mistake_with_the_way_out():
    (found,) = mistakes('[provider.a]\napi_key = "${NOPE}"')
    assert found.startswith("lynkr.toml: [provider.a] $.api_key: the environment variable NOPE is not set")


def test_a_secret_can_be_a_file(tmp_path):
    (tmp_path / "key").write_text("s3cret\n")
    (table,) = parse(f'[provider.a]\napi_key = "file:{tmp_path}/key"', {}).plugins
    assert table.table == {"api_key": "s3cret"}


def test_bounds_must_rise():
    assert mistakes("[tiers]\nbounds = [50, 25, 75]") == ["lynkr.toml: [tiers] $.bounds: must rise, as in [25, 50, 75]"]


@pytest.mark.parametrize("name", ["auto", "simple"])
def test_an_alias_cannot_take_a_reserved_name(name):
    assert "has a meaning of its own" in mistakes(f"[models]\n{name} = []")[0]


def test_a_missing_file_says_what_writes_one(tmp_path):
    with pytest.raises(ConfigError, match="lynkr init"):
        load(tmp_path / "lynkr.toml", {})


def test_a_file_is_named_in_its_mistakes(tmp_path):
    (tmp_path / "mine.toml").write_text("[x]")
    with pytest.raises(ConfigError, match=r"mine\.toml: \[x\]: unknown section"):
        load(tmp_path / "mine.toml", {})


def test_prices_are_typed():
    config: Config = parse('[prices]\n"a/b" = { input = 1, output = 2.5 }', {})
    assert config.prices["a/b"].output == 2.5


def test_a_secret_shows_nothing():
    secret = Secret("sk-1234")
    assert "1234" not in f"{secret} {secret!r} {[secret]}"
    assert secret.reveal() == "sk-1234"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("provider = 3\n[tiers]\nsimple = ['a/b']", "[provider]: expected tables [provider.NAME]"),
        ("[provider]\na = 3\n[tiers]\nsimple = ['a/b']", "[provider.a]: expected a table"),
        ("[provider.a]\nuse = ''", "[provider.a] $.use: expected a plugin's name"),
        ("[teirs]\nsimple = ['a/b']\n[provider.a]", '[teirs]: unknown section; did you mean "tiers"?'),
        ("[provider.echo]\n[order]\n'provider.ecko' = 1", '[order]: there is no [provider.ecko]; did you mean "provider.echo"?'),
        ("[provider]\na = 3\n[order]\n'provider.a' = 1", "[provider.a]: expected a table"),
        ("[models]\nfast = ['${NOPE}/b']", "[models] $.fast[0]: the environment variable NOPE is not set; "),
        ("[server]\nhost = 'file:/no/such'", "[server] $.host: the file /no/such cannot be read: "),
    ],
)
def test_a_mistake_brings_no_others_along(text, told):
    (found,) = mistakes(text)
    assert found.startswith(f"lynkr.toml: {told}")


def test_a_configuration_with_mistakes_can_be_looked_at():
    config = parse("[server]\nport = 1\nprot = 2\n[models]\na = 'x'\nb = []", {}, strict=False)
    assert (config.server.port, config.models, len(config.mistakes)) == (1, {"b": []}, 2)
