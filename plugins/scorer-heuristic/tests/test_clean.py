from __future__ import annotations

import pytest

from lynkr_scorer_heuristic.clean import ENVELOPES, clean, shortened


@pytest.mark.parametrize("name", ENVELOPES)
def test_envelopes_go_with_their_content(name):
    assert clean(f"<{name}>\nprove <b>it</b>\n</{name}>\n fix it <{name} id='3'>x</{name}>") == "fix it"


def test_what_a_command_was_given_stays():
    text = (
        "<command-message>review</command-message><command-name>/review</command-name><command-args>the login page</command-args>"
    )
    assert clean(text) == "the login page"
    assert clean("<user_query>\nadd a test\n</user_query>") == "add a test"


def test_an_element_that_is_never_closed_is_text():
    assert clean("what does <system-reminder> mean?") == "what does <system-reminder> mean?"


def test_other_markup_is_text():
    assert clean("why is <div class='a'>x</div> wide?") == "why is <div class='a'>x</div> wide?"


def test_notes_of_the_tool_go():
    assert clean("[Request interrupted by user for tool use]\nno, the other file") == "no, the other file"
    assert clean("# AGENTS.md instructions for /repo\n\n<INSTRUCTIONS>prove</INSTRUCTIONS>") == ""


def test_long_texts_keep_beginning_and_end():
    text = shortened("a" * 5_000 + "b" * 5_000)
    assert (len(text), text[0], text[-1]) == (1_401, "a", "b")
