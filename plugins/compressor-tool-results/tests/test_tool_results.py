import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.json import encode

from lynkr_compressor_tool_results import plugin
from lynkr_compressor_tool_results.conversation import Conversation
from lynkr_compressor_tool_results.expansion import Expander
from lynkr_compressor_tool_results.terminal import plain, shown
from lynkr_core.exchange import Principal
from lynkr_core.request import ToolCall
from lynkr_core.testing import factories
from lynkr_core.tokens import Tokens

CODE = "\n".join(f"    value_{n} = compute(the_input_of_line, {n})" for n in range(40))


def conversation() -> Conversation:
    return Conversation(Tokens().count)


def called(to: Conversation, id: str, name: str, **arguments: str) -> None:
    to.called(ToolCall(id=id, name=name, arguments=json.dumps(arguments)))


def numbered(text: str, first: int = 1, mark: str = "→") -> str:
    return "\n".join(f"{number:6}{mark}{line}" for number, line in enumerate(text.split("\n"), first))


def ran(text: str, command: str = "make") -> str:
    """What is sent of a command's output, the first of a conversation."""
    one = conversation()
    called(one, "1", "Bash", command=command)
    told = one.answered("1", text)[0]
    expander = Expander(Tokens().count)
    called(expander.conversation, "1", "Bash", command=command)
    assert plain(expander.text("1", told)) == plain(text)
    return told


def test_only_every_tenth_line_keeps_its_number_and_no_text_is_changed():
    one = conversation()
    called(one, "1", "Read", file_path="a.py")
    told = one.answered("1", numbered(CODE, 7))[0].split("\n")
    assert told[0] == "[= lines 7-46; the first and every 10th are numbered]"
    assert [line for line in told[1:] if "→" in line] == [
        f"{n}→    value_{n - 7} = compute(the_input_of_line, {n - 7})" for n in (7, 10, 20, 30, 40)
    ]
    assert [line.partition("→")[2] or line for line in told[1:]] == CODE.split("\n")


@pytest.mark.parametrize("mark", ["→", "\t", "|", "| ", ": ", ":"])
def test_every_kind_of_gutter_comes_back(mark: str):
    assert len(ran(numbered(CODE, 95, mark), "python show.py")) < len(numbered(CODE, 95, mark))


def test_a_second_read_names_the_lines_that_stand_above():
    one = conversation()
    called(one, "1", "Read", file_path="a.py")
    one.answered("1", numbered(CODE))
    called(one, "2", "Read", file_path="a.py")
    told = one.answered("2", numbered(CODE.replace("value_20 ", "changed ")))[0].split("\n")
    assert told[0] == "[= lines 1-40]"
    assert told[1].startswith('[= 20 lines as in Read above (0:0): "value_0 = ')
    assert told[2] == "21→    changed = compute(the_input_of_line, 20)"
    assert told[3].startswith('[= 19 lines as in Read above (0:21): "value_21 = ')
    assert len(told) == 4


def test_what_the_agent_wrote_itself_is_named_unless_json_spells_it_otherwise():
    for line, named in (("x = compute(the_input_of_line)", True), ('x = compute("the_input_of_line")', False)):
        text = "\n".join(f"{line} + {n}" for n in range(20))
        one = conversation()
        called(one, "1", "Write", file_path="a.py", content=text)
        called(one, "2", "Read", file_path="a.py")
        assert ("as in Write above" in one.answered("2", numbered(text))[0]) is named


def test_fewer_than_six_lines_are_said_again():
    one = conversation()
    for id, text in (("1", CODE), ("2", "\n".join(CODE.split("\n")[:5]) + "\nand something else\n")):
        called(one, id, "Bash", command="make")
        told = one.answered(id, text)[0]
    assert told == text


def test_hits_keep_their_path_whole_and_said_once():
    hits = [f"src/notes-2026-06-04-x.md:{n}:found the word {n}" for n in (3, 205, 310)]
    around = [
        "src/notes-2026-06-04-x.md-206-the line after",
        "src/another/module.py:1:word",
        "src/another/module.py:9:word",
        "src/another/module.py:10:word",
    ]
    told = ran("\n".join(hits + around)).split("\n")
    assert told[0] == "[= 4 lines begin with src/notes-2026-06-04-x.md]"
    assert told[1:5] == [":3:found the word 3", ":205:found the word 205", ":310:found the word 310", "-206-the line after"]
    assert told[5] == "[= 3 lines begin with src/another/module.py]"


def test_a_listing_is_folded_under_its_root():
    names = [f"/home/dev/project/src/package/module_{n}.py" for n in range(12)]
    assert ran("\n".join(names)).split("\n")[:2] == ["[= 12 lines begin with /home/dev/project/src/package/]", "module_0.py"]


def test_the_two_paths_of_a_diff_follow_from_its_header():
    head = (
        "diff --git a/src/{0} b/src/{0}\nindex 1a2b3c4..5d6e7f8 100644\n--- a/src/{0}\n+++ b/src/{0}\n@@ -1,2 +1,2 @@\n-old\n+new"
    )
    told = ran("\n".join(head.format(f"file_{n}.py") for n in range(4)))
    assert told.split("\n")[:3] == [
        "diff --git a/src/file_0.py b/src/file_0.py",
        "index 1a2b3c4..5d6e7f8 100644 [= ---, +++]",
        "@@ -1,2 +1,2 @@",
    ]


def test_new_and_renamed_files_keep_what_does_not_follow():
    new = (
        "diff --git a/n.py b/n.py\nnew file mode 100644\nindex 0000000..5d6e7f8\n--- /dev/null\n+++ b/n.py\n@@ -0,0 +1 @@\n+new\n"
    )
    moved = "diff --git a/o.py b/p.py\nrename from o.py\nrename to p.py\nindex 1..2 100644\n--- a/o.py\n+++ b/p.py\n@@ -1 +1 @@\n"
    told = ran(new * 3 + moved)
    assert "--- /dev/null" not in told
    assert "--- a/o.py" in told


def test_a_reminder_is_said_once():
    reminder = (
        "<system-reminder>\nBe careful with what you read here, and think twice about it before you go on.\n</system-reminder>"
    )
    one = conversation()
    for id in ("1", "2"):
        called(one, id, "Bash", command="make")
        told = one.answered(id, f"done with number {id} of this long list of things\n\n{reminder}")[0]
    assert told.endswith("things\n\n[= reminder 1 again]")


def test_frames_that_come_again_in_one_result_are_named_once():
    frames = "\n".join(f'  File "/app/server/module_{n}.py", line {n}, in handle_request' for n in range(12))
    told = ran(f"test_a failed\n{frames}\nValueError\ntest_b failed\n{frames}\nKeyError", "pytest")
    assert "12 lines as in Bash above (0:1)" in told


def test_what_no_terminal_shows_is_left_out_but_not_of_files():
    text = "\x1b[31mFAILED\x1b[0m test_x        \n" + "10 %\r50 %\r100 %\ndone " + "and more of it " * 10
    assert ran(text) == "FAILED test_x\n100 %\ndone " + "and more of it " * 9 + "and more of it "
    assert ran(text, "cat out.log") == text


def test_code_that_a_command_shows_is_not_folded():
    code = "\n".join(f"import project.package.module.number_{n}" for n in range(20))
    assert ran(code, "cat a.py") == code
    assert ran(code, "cd src && sed -n 1,20p a.py") == code


def test_a_text_with_our_own_sign_is_left_alone():
    text = "[= 12 lines begin with /home/dev/project/src/package/]\n" + "\n".join(["/home/dev/project/src/x"] * 12)
    assert ran(text) == text


lines = st.sampled_from((
    *CODE.split("\n")[:14], "src/a/long/path/module.py:12: x", "src/a/long/path/module.py-13- y", "src/a/long/path/module.py:14: z", "", "}",
    "diff --git a/x b/x", "index 1..2 100644", "--- a/x", "+++ b/x", "<system-reminder>again</system-reminder>",
    "/home/dev/project/one", "/home/dev/project/two",
    "\x1b[1mbold\x1b[0m  ", "1 %\r2 %", "     1→x",
))  # fmt: skip
results = st.lists(st.tuples(st.lists(lines, min_size=1, max_size=60), st.integers(0, 3), st.booleans()), min_size=1, max_size=5)


@given(results)
@settings(max_examples=150, deadline=None)
def test_everything_comes_back(given: list[tuple[list[str], int, bool]]):
    one, expander = conversation(), Expander(Tokens().count)
    for number, (said, first, command) in enumerate(given):
        id, text = str(number), "\n".join(said)
        text = numbered(text, first * 7) if first else text
        call = ToolCall(id=id, name="Bash", arguments=json.dumps({"command": "make" if command else "cat x"}))
        one.called(call)
        expander.conversation.called(call)
        told, saved = one.answered(id, text)
        assert saved >= 0
        assert plain(expander.text(id, told)) == plain(text)


@given(st.text(alphabet="ab \t\r\n\x1b[0m1;", max_size=80))
def test_what_is_shown_stays_as_it_is_shown(text: str):
    assert shown(shown(text)) == shown(text)


def body(turns: int) -> dict[str, object]:
    said: list[dict[str, object]] = [{"role": "user", "content": "go"}]
    for turn in range(turns):
        call = {"id": f"c{turn}", "type": "function", "function": {"name": "Read", "arguments": '{"path":"a.py"}'}}
        said += [{"role": "assistant", "content": None, "tool_calls": [call]}]
        said += [{"role": "tool", "tool_call_id": f"c{turn}", "content": numbered(CODE, 1 + turn)}]
    return {"model": "m", "messages": said}


def sent(instance: object, turns: int, principal: str = "ada") -> bytes:
    exchange = factories.exchange(body(turns))
    exchange.principal = Principal(id=principal)
    request = instance.transform_request(exchange, exchange.request, factories.candidates()[0])
    return encode(exchange.dialect.encode_request(request, []))


def make(**table: object) -> object:
    return factories.build(plugin, table, factories.context("tool-results", "compressor"))


def test_what_is_remembered_changes_no_byte():
    warm = make()
    turns = [sent(warm, turn) for turn in range(1, 8)]
    assert turns == [sent(make(), turn) for turn in range(1, 8)]
    assert turns == [sent(warm, turn) for turn in range(1, 8)]


def test_nothing_is_remembered_for_anybody_else():
    one = make()
    sent(one, 5)
    held = len(one.told)
    sent(one, 5, "bob")
    assert len(one.told) == 2 * held


def test_a_branch_of_a_conversation_is_told_by_its_own_past():
    one = make()
    sent(one, 5)
    assert sent(one, 3) == sent(make(), 3)
