import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lynkr_compressor_json import as_toon, expanded, from_toon, has_list, plugin
from lynkr_compressor_json.tables import tabled, untabled
from lynkr_compressor_json.values import read, write
from lynkr_core.errors import Unavailable
from lynkr_core.request import ToolCall
from lynkr_core.testing import factories

HITS = [
    {
        "file": f"src/{'routing' if n < 30 else 'budget'}/module_{n % 7}.ts",
        "line": 12 + 7 * n,
        "match": f"    const candidate{n} = await selectProvider(request.messages, {{ tier: 'tier{n % 4}', maxTokens: {1000 + n} }});",
    }
    for n in range(60)
]


def make(**table: object):
    return factories.build(plugin, table, factories.context("json", "compressor"))


def told(value: object, call: ToolCall | None = None) -> str:
    text = value if isinstance(value, str) else json.dumps(value, indent=2)
    return make().tell("ada", text, call).text or text


def test_sixty_hits_are_all_there_in_a_third_of_their_tokens():
    minified = json.dumps(HITS, separators=(",", ":"))
    text = told(minified)
    assert json.loads(expanded(text) or "") == HITS
    assert len(text.split("\n")) == 62
    assert make().count(text) < 0.35 * make().count(minified)


def test_a_table_says_what_all_rows_share_once():
    rows = [{"id": n, "kind": "user", "at": {"city": city, "zip": 8000}} for n, city in enumerate(("Zug", "Bern", "Bern"))]
    assert tabled(read(json.dumps({"found": rows})), whole=True) == "\n".join([
        '{"found":@1*3}', '@1: 3 rows fill _ and {} of {"id":_,"kind":"user","at":{"city":_,"zip":8000}}', "0,Zug", "1,Bern", "2,Bern",
    ])  # fmt: skip


def test_rows_of_several_lists_stand_in_one_table():
    found = [[{"n": 1, "to": "a"}, {"n": 2, "to": "b"}], [{"n": 3, "to": "c"}]]
    text = tabled(read(json.dumps(found)))
    assert text is not None
    assert text.startswith("[@1*2,@1*1]\n@1: 3 rows")
    assert json.loads(write(untabled(text))) == found


def test_keys_that_are_not_there_and_values_that_look_like_marks_come_back():
    rows = [
        {"a": "^", "b": "", "c": None, "d": "1"},
        {"a": "_", "c": "null", "d": "a,b"},
        {"a": "{}", "b": " x", "c": [1, {"k": "v,w"}], "d": "[x"},
        {"a": "{1}", "b": '"', "c": {}, "d": "same as above, and long"},
        {"a": "@1*2", "b": "x\ny", "c": "true", "d": "same as above, and long"},
    ]
    for whole in (True, False):
        text = tabled(read(json.dumps(rows)), whole)
        assert text is not None
        assert write(untabled(text)) == json.dumps(rows, separators=(",", ":"))


@pytest.mark.parametrize(
    "text", ['{"a": 1.0, "b": -0.0, "c": 1E400, "d": 12345678901234567890123}', '[{"b": 1, "a": 2}, {"a": 1.50, "b": 2}]']
)
def test_numbers_keep_their_spelling_and_keys_their_order(text: str):
    assert told(text + " " * 60) == text.replace(" ", "")


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 2, "b": "' + "x " * 60 + '"}',
        '{"a": NaN, "b": "' + "x " * 60 + '"}',
        '{"a": "\\ud800 ' + "x " * 60 + '"}',
        "[" * 5000,
    ],
)
def test_what_readers_do_not_agree_on_is_left_alone(text: str):
    assert told(text) == text


def test_files_are_left_alone():
    text = json.dumps(HITS, indent=2)
    for name, arguments in (
        ("Read", {"file_path": "a.json"}),
        ("Bash", {"command": "cd x && cat a.json"}),
        ("mcp__fs__read_text_file", {}),
    ):
        assert told(text, ToolCall(id="1", name=name, arguments=json.dumps(arguments))) == text
    assert told(text, ToolCall(id="1", name="Bash", arguments='{"command":"gh api x | head -50"}')) != text


def test_toon_is_taken_for_what_it_tells_best_and_only_if_it_gives_the_value_back():
    rows = [{"id": n, "tags": ["red", "blue", "green"]} for n in range(3)]
    deep = {
        "section": {"title": "of some length", "inner": {f"key_{n}": {"name": f"a name {n}", "of": {"x": n}} for n in range(90)}}
    }
    for value in (rows, deep, {"a": 1.0, "b": deep}, [{"b": 1, "a": 2, "c": deep}, {"a": 1, "b": 2}]):
        text = told(value)
        assert expanded(text) == json.dumps(value, separators=(",", ":"))
    assert from_toon(as_toon('{"a":1}') or "") == {"a": "1"}
    assert as_toon('{"a":"\\ud800"}') is None


def test_what_toon_spells_otherwise_is_not_sent_in_it(monkeypatch: pytest.MonkeyPatch):
    text = json.dumps([{"price": 1.0, "name": f"name {n}"} for n in range(200)])
    monkeypatch.setattr("lynkr_compressor_json.tabled", lambda value, whole: None)
    assert told(text) == text.replace(", ", ",").replace(": ", ":")
    assert told(text.replace("1.0", "1.5")).startswith("[200]{price,name}:")


def test_an_error_leaves_the_result_or_refuses_the_request(monkeypatch: pytest.MonkeyPatch):
    def fails(value: object, whole: bool) -> str:
        raise TypeError("a mistake of ours")

    monkeypatch.setattr("lynkr_compressor_json.tabled", fails)
    assert told(HITS) == json.dumps(HITS, indent=2)
    with pytest.raises(Unavailable, match="could not be told"):
        make(fail_open=False).tell("ada", json.dumps(HITS), None)


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(alphabet='ab1,^_{}[]"\\\n @*:é', max_size=6)
    | st.sampled_from(("true", "-1", "1e5", "{1}"))
)
values = scalars | st.lists(scalars, max_size=3) | st.dictionaries(st.sampled_from("xy{"), scalars, max_size=2)
rows = st.lists(
    st.fixed_dictionaries({"a": values}, optional={"b": values, "c{}": scalars, "d": st.just({"k": 1})}), min_size=1, max_size=6
)


@given(rows | st.dictionaries(st.sampled_from(("p", "q")), rows, min_size=1), st.booleans())
@settings(max_examples=300, deadline=None)
def test_a_table_is_the_same_value(value: object, whole: bool):
    text = tabled(read(json.dumps(value)), whole)
    if text is not None:
        assert write(untabled(text)) == json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def test_each_principal_has_its_own_memory():
    one = make()
    for principal in ("ada", "bob", "ada"):
        one.tell(principal, json.dumps(HITS), None)
    assert len(one.told) == 2


def test_objects_alone_are_no_affair_of_toon(monkeypatch: pytest.MonkeyPatch):
    tried: list[str] = []
    monkeypatch.setattr("lynkr_compressor_json.as_toon", tried.append)
    alone = {"user": {f"key_{n}": {"name": f"a name {n}", "tags": [n]} for n in range(200)}}
    assert told(alone) == json.dumps(alone, separators=(",", ":"))
    assert not tried
    assert has_list({"user": [{"roles": [1, 2]}]})
    told(alone | {"names": [f"name {n}" for n in range(2)]})
    assert len(tried) == 1


def test_a_table_that_does_not_read_back_makes_room_for_the_next_best(monkeypatch: pytest.MonkeyPatch):
    def uncut(text: str) -> object:
        return None if "{}.ts" in text else untabled(text)

    monkeypatch.setattr("lynkr_compressor_json.untabled", uncut)
    assert '"match":_' in (text := told(HITS))
    assert json.loads(write(untabled(text))) == HITS
    monkeypatch.setattr("lynkr_compressor_json.untabled", lambda text: None)
    assert told(HITS) == json.dumps(HITS, separators=(",", ":"))
