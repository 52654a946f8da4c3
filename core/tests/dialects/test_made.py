"""How dialects come into being."""

from __future__ import annotations

from lynkr_core.dialects.openai_chat import OpenAIChat


class Told(OpenAIChat):
    """One that is made with settings."""

    def __init__(self, ping: bytes, *, conversation: str) -> None:
        self.ping = ping
        self.conversation = conversation


def test_a_dialect_may_be_made_with_settings_which_win_over_its_class():
    made = Told(b": here\n\n", conversation="talk")
    assert (made.ping, made.conversation, made.id_header) == (b": here\n\n", "talk", OpenAIChat.id_header)
    assert OpenAIChat().conversation == "messages"
