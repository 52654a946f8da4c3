"""examples/cost-guard-n8n, with requests as n8n 1.123.81 sent them when it ran the example's workflow."""

from __future__ import annotations

import asyncio
import json
import re
from uuid import UUID

import pytest

from lynkr_core.request import Text
from lynkr_core.testing.canned import CANNED
from lynkr_core.testing.saying import saying
from lynkr_core.testing.waiting import PATIENCE
from tests.examples.running import EXAMPLES, Example, client, served

pytestmark = pytest.mark.anyio
CHEAP, DEAR = "openai/gpt-5.6-luna", "openai/gpt-5.6-terra"
WORKFLOW = json.loads((EXAMPLES / "cost-guard-n8n/workflow.json").read_text())
TRIED = {
    "n8n-nodes-base.manualTrigger": 1,
    "n8n-nodes-base.set": 3.4,
    "@n8n/n8n-nodes-langchain.chainLlm": 1.7,
    "@n8n/n8n-nodes-langchain.lmChatOpenAi": 1.3,
    "n8n-nodes-base.httpRequest": 4.2,
    "n8n-nodes-base.stopAndError": 1,
}
"""The nodes and versions with which n8n 1.123.81 imported and ran it, through lynkr, to its end and to each refusal."""
INVOICE = "Say in one line who wants how much until when:\nACME Ltd, 3 chairs at 49.00, VAT 20 %, due 2026-12-01"
CHAT_MODEL = {
    "accept": "application/json", "accept-language": "*", "sec-fetch-mode": "cors", "accept-encoding": "gzip, deflate",
    "user-agent": "langchainjs-openai/1.0.0 ((node/v24.19.0; linux; x64))", "x-stainless-retry-count": "0", "x-stainless-lang": "js",
    "x-stainless-package-version": "6.49.0", "x-stainless-runtime": "node",
}  # fmt: skip
HTTP_REQUEST = {
    "accept": "application/json,text/html,application/xhtml+xml,application/xml,text/*;q=0.9, image/*;q=0.8, */*;q=0.7",
    "user-agent": "axios/1.18.0", "openai-organization": "", "accept-encoding": "gzip, compress, deflate, br",
}  # fmt: skip


ADMIN = "a" * 32


class Run:
    """One execution of a workflow, by the key of its credential."""

    def __init__(self, http, key, id, **headers):
        self.http, self.id = http, id
        self.headers = {"authorization": f"Bearer {key}"} | {name.replace("_", "-"): value for name, value in headers.items()}

    async def model(self, text=INVOICE, retry=0, most=500, model="auto"):
        """As the node OpenAI Chat Model asks."""
        said = [{"type": "message", "role": "user", "content": text}]
        body = {
            "input": said,
            "model": model,
            "stream": False,
            "text": {},
            "max_output_tokens": most,
            "metadata": {"session_id": self.id},
        }
        headers = CHAT_MODEL | self.headers | {"x-stainless-retry-count": str(retry)}
        return await self.http.post("/v1/responses", json=body, headers=headers)

    async def plain(self, text):
        """As the node HTTP Request asks."""
        body = {"model": "simple", "max_tokens": 20, "messages": [{"role": "user", "content": text}]}
        return await self.http.post(
            "/v1/chat/completions", json=body, headers=HTTP_REQUEST | self.headers | {"x-session-id": self.id}
        )


@pytest.fixture
def example(scripted_provider, tmp_path):
    example = Example("cost-guard-n8n", tmp_path, OPENAI_API_KEY="sk-test-of-examples", LYNKR_ADMIN_KEY=ADMIN)
    example.cloud("openai", f"{scripted_provider.url}/v1")
    return example


async def key(http, name, **more):
    """As `lynkr keys create` makes one."""
    made = await http.post("/v1/admin/keys", json={"name": name, **more}, headers={"x-api-key": ADMIN})
    assert made.status_code in (200, 201), made.text
    return made.json()["key"]


def asks(provider):
    return [request for request in provider.requests if request.method == "POST"]


def code(answer):
    return answer.status_code, answer.json()["error"]["code"]


async def test_a_retry_is_paid_once_and_a_run_has_a_limit_and_a_switch(example, scripted_provider):
    made = await example.run("keys", "create", "invoices", "--agent", "invoices")
    invoices = re.match(r"lk_\w+", made.stdout)[0]
    example.change("calls = 40", "calls = 3")
    with example.serve() as running:
        async with client(running) as http:
            run, other = Run(http, invoices, "231"), Run(http, invoices, "232")
            scripted_provider.always(CANNED["openai.responses"].but(delay=0.3))
            at_once = await asyncio.gather(*[run.model(retry=number) for number in range(3)])
            assert [answer.status_code for answer in at_once] == [200] * 3
            again = await other.model(retry=0)  # "Retry execution" begins a new one
            assert (again.headers["x-lynkr-cache"], again.headers["x-lynkr-cost-usd"]) == ("hit", "0.000000000")
            assert len(asks(scripted_provider)) == 1
            scripted_provider.reset()
            assert served(await run.plain("furniture, travel or software? One word: ACME")) == (200, CHEAP)
            long = await run.model("Another one", most=100_000)
            assert "lowered to 4000" in long.headers["x-lynkr-losses"]
            assert asks(scripted_provider)[-1].json()["max_output_tokens"] == 4000
            assert code(await run.model("A loop")) == (429, "run_limit_exceeded")
            assert served(await other.plain("Not a loop")) == (200, CHEAP)
            assert code(await Run(http, "lk_wrong", "233").plain("Hi")) == (401, "invalid_api_key")
            stopped = await example.run("runs", "stop", "232", "--why", "loops")
            assert stopped.returncode == 0, stopped
            await refused(other, "Not a loop")
            assert (await Run(http, invoices, "234").plain("Not stopped")).status_code == 200
    told = json.loads((await example.run("usage", "--by", "agent,session", "--json")).stdout)
    assert "231" in json.dumps(told["rows"])


async def refused(run, text):
    """Other processes are told within two seconds. An answer that is cached costs the run nothing, so only the switch can refuse it."""
    async with asyncio.timeout(PATIENCE):
        while (answer := await run.plain(text)).status_code == 200:
            assert answer.headers["x-lynkr-cache"] == "hit"
            await asyncio.sleep(0.1)
    assert code(answer) == (403, "run_stopped")


async def test_a_workflow_that_has_spent_its_day_gets_something_cheaper_and_then_nothing(example, scripted_provider):
    example.change("usd = 2\n", "usd = 0.055\n")
    scripted_provider.always(saying("openai.responses", Text(text="ok"), usage=(1000, 2000)))  # $0.026 at the dear one's price
    with example.serve() as running:
        async with client(running) as http:
            own, shared = await key(http, "invoices", agent="invoices"), await key(http, "all")
            invoices, reports = Run(http, own, "1"), Run(http, shared, "1", x_lynkr_agent="reports")
            dear = {"model": DEAR, "most": 4000}
            assert served(await invoices.model("0", **dear)) == (200, DEAR)
            second = await invoices.model("1", **dear)
            assert (served(second), second.headers["x-lynkr-asked"]) == ((200, CHEAP), DEAR)
            assert second.headers["x-lynkr-downgraded"] == "the budget of agent:invoices"
            answers = [second]
            while answers[-1].status_code == 200 and len(answers) < 30:
                answers.append(await invoices.model(str(len(answers) + 1), **dear))
            assert code(answers[-1]) == (429, "budget_exceeded")
            assert 0 < int(answers[-1].headers["retry-after"]) <= 86_400
            assert served(await reports.model("0", **dear)) == (200, DEAR)
            assert served(await reports.model("1", **dear)) == (200, CHEAP)
            told = (await http.get("/v1/admin/budgets?subject=agent:", headers={"x-api-key": ADMIN})).json()
    rows = {row["subject"]: row["used"] <= row["limit"] for row in told["data"]}
    assert rows == {"agent:invoices": True, "agent:reports": True}


def test_the_workflow_is_whole_and_points_at_the_gateway():
    nodes = {node["name"]: node for node in WORKFLOW["nodes"]}
    assert {node["type"]: node["typeVersion"] for node in nodes.values()} == TRIED
    assert len({UUID(node["id"]) for node in nodes.values()}) == len(nodes) == len(WORKFLOW["nodes"])
    ends = [
        end for outputs in WORKFLOW["connections"].values() for output in outputs.values() for branch in output for end in branch
    ]
    assert {end["node"] for end in ends} | set(WORKFLOW["connections"]) == set(nodes)
    assert nodes["lynkr"]["parameters"]["model"] == {"__rl": True, "mode": "id", "value": "auto"}
    assert "session_id: $execution.id" in nodes["lynkr"]["parameters"]["options"]["metadata"]
    request = nodes["Classify"]["parameters"]
    assert request["url"] == "http://127.0.0.1:8081/v1/chat/completions"
    assert {"name": "x-session-id", "value": "={{ $execution.id }}"} in request["headerParameters"]["parameters"]
    assert {nodes[name]["credentials"]["openAiApi"]["name"] for name in ("lynkr", "Classify")} == {"lynkr"}
    assert not re.search(r"sk-|lk_", json.dumps(WORKFLOW))
