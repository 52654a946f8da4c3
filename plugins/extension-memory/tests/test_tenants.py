"""Nobody's memory reaches anybody else, however their requests come in between each other."""

from __future__ import annotations

import asyncio
import re

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lynkr_core.exchange import ANONYMOUS, Principal
from lynkr_core.process import ADMIN
from lynkr_core.routes import RouteRequest
from lynkr_core.stores import MemoryStore, Stores

from .talking import Talk, memory

PRINCIPALS = [
    Principal(id="key:a"), Principal(id="key:a/f/all"), Principal(id="key:b", user="ada"), Principal(id="key:c", user="ada", team="x"),
    Principal(id="key:d", user="ada", team="x"), Principal(id="user:x/ada"), Principal(id="ada"), Principal(id="id\0key:a"),
    Principal(id="user\0x\0ada"), Principal(id=""), ANONYMOUS,
]  # fmt: skip
"""Some with names that others' keys could be mistaken for; the fourth and fifth are one user of one team."""
SESSIONS = ["one", "all", "local-all", "key:a", "../all", "x" * 300]
step = st.tuples(
    st.integers(0, len(PRINCIPALS) - 1), st.integers(0, len(SESSIONS) - 1), st.sampled_from(["say", "ask", "ask", "work", "forget", "new"]),
    st.booleans(),
)  # fmt: skip


def tenant(number: int, by_user: bool) -> int:
    """Keys of one user of one team are one."""
    return 3 if number == 4 and by_user else number


async def played(steps: list[tuple[int, int, str, bool]], by_user: bool) -> int:
    """Every request must have its own tenant's marks only. Gives how many were recalled."""
    made = memory(Stores(MemoryStore()), scope="user" if by_user else "session", anonymous=True, surprise=0.0)
    talks: dict[tuple[int, int, bool], Talk] = {}
    recalled = 0
    for count, (number, place, act, local) in enumerate(steps):
        owner = tenant(number, by_user)
        key = (number, place, local)
        if key not in talks or act == "new":
            talks[key] = Talk(made, PRINCIPALS[number], SESSIONS[place])
            talks[key].local = "a policy" if local else ""
        talk = talks[key]
        if act == "say":
            mark = f"T{owner}S{place}L{int(local)}N{count}"
            said = f"My horse is called {mark}. We've decided to use Redis for {mark}."
            await talk.say(said, f"We've decided to sell the {mark} horse.")
        elif act == "forget":
            query = RouteRequest(params={}, headers={}, body=b"", principal=PRINCIPALS[number])
            await made.desk.forget_all(query)
        else:
            told = await talk.say("What is my horse called, and what have we decided of Redis?")
            recalled += bool(told)
        await listed(made, PRINCIPALS[number], owner)
        if talk.sent:
            check(talk.everything, owner, None if by_user else place, local)
    return recalled


def check(sent: str, owner: int, place: int | None, local: bool) -> None:
    for mark in re.findall(r"T(\d+)S(\d+)L(\d)", sent):
        assert int(mark[0]) == owner, f"{mark} reached tenant {owner}"
        assert place is None or int(mark[1]) == place, f"{mark} reached session {place}"
        assert int(mark[2]) == local, f"{mark} has left its side"


async def listed(made, principal, owner) -> None:
    reply = await made.desk.list(RouteRequest(params={}, headers={}, body=b"", principal=principal))
    assert {int(found) for found in re.findall(r"T(\d+)S", reply.body.decode())} <= {owner}


@settings(max_examples=120, deadline=None)
@given(st.lists(step, min_size=4, max_size=30), st.booleans())
def test_no_request_and_no_list_has_what_is_anothers(steps, by_user):
    asyncio.run(played(steps, by_user))


def test_the_play_has_something_to_leak():
    """Or it would show nothing."""
    said = [(number, 0, "say", False) for number in range(len(PRINCIPALS))]
    asked = [(number, 1, "ask", False) for number in range(len(PRINCIPALS))]
    assert asyncio.run(played([*said, *asked], True)) == len(PRINCIPALS)
    again = [(number, 0, "new", False) for number in range(len(PRINCIPALS))]
    assert asyncio.run(played([*said, *again], False)) == len(PRINCIPALS)


@pytest.mark.anyio
async def test_at_the_same_time_as_one_after_the_other():
    made = memory(Stores(MemoryStore()), scope="user")
    who = [Principal(id=f"key:{number}") for number in range(20)]

    async def one(number: int) -> None:
        for turn in range(3):
            await Talk(made, who[number], "s").say(f"My horse {turn} is called T{number}S0L0N{turn}.")
            await asyncio.sleep(0)
            talk = Talk(made, who[number], f"ask {turn}")
            assert await talk.say("What is my horse called?")
            check(talk.everything, number, None, False)

    await asyncio.gather(*[one(number) for number in range(20)])
    everybody = await made.desk.list(RouteRequest(params={}, headers={}, body=b"", principal=ADMIN))
    assert len(msgspec.json.decode(everybody.body)["data"]) == 60
