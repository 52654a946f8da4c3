import pytest

from lynkr_core.errors import UpstreamError
from lynkr_core.events import Delta, End, Failure, Finish, Grammar, GrammarError, PartEnd, PartStart, Ping, Start, UsageEvent
from lynkr_core.request import Text, Usage

START, OPEN, CLOSE = Start(id="1", model="m"), PartStart(0, Text(text="")), PartEnd(0)
FINISH, END, PING = Finish("stop"), End(), Ping()


def check(*events):
    grammar = Grammar()
    for event in events:
        grammar.check(event)


@pytest.mark.parametrize(
    "events",
    [
        (START, OPEN, Delta(0, "a"), CLOSE, FINISH, END),
        (PING, START, PING, OPEN, CLOSE, PartStart(1, Text(text="")), PartEnd(1), FINISH, UsageEvent(Usage()), END),
        (START, FINISH, END),
        (START, OPEN, PartStart(0, Text(text=""), 1), CLOSE, PartEnd(0, 1), FINISH, Finish("stop", None, 1), END),
        (START, OPEN, Failure(UpstreamError("cut", "x"))),
    ],
)
def test_good_orders(events):
    check(*events)


@pytest.mark.parametrize(
    "events",
    [
        (OPEN,),
        (START, START),
        (START, Delta(0, "a")),
        (START, OPEN, PartStart(1, Text(text=""))),
        (START, PartStart(1, Text(text=""))),
        (START, OPEN, FINISH),
        (START, FINISH, FINISH),
        (START, FINISH, OPEN),
        (START, END),
        (START, FINISH, END, PING),
        (START, OPEN, PartEnd(1)),
    ],
)
def test_impossible_orders(events):
    with pytest.raises(GrammarError):
        check(*events)
