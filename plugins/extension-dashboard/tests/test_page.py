"""The page in a real browser, on a real gateway that has served requests."""

import http.client
import importlib.util
import json
import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import expect

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
spec = importlib.util.spec_from_file_location("lynkr_dashboard_demo", Path(__file__).parent / "demo.py")
demo = importlib.util.module_from_spec(spec)
spec.loader.exec_module(demo)
MS = 30_000
expect.set_options(timeout=MS)
HARM = "<img src=x onerror=document.title='harmed'>"
TOLD = "req_00000000001aaaaaaaaaaaa"
RECORD = {
    "id": TOLD, "dialect": "openai.chat", "operation": "chat", "stream": True, "principal": "key:0", "key": "anna", "user": None,
    "team": "platform", "agent": "claude-code", "class": None, "tags": [], "session": "begins:1", "session_from": "beginning",
    "task": None, "model_asked": "auto", "route": "auto", "tier": "complex", "score": 61.4, "reason": "score 61: complex",
    "selected_by": "selector.tiers", "notes": {"verify": "checked"}, "gates": ["code"], "signals": {"code": 3.0},
    "points": {"code": 20.5, "brevity": -4.0}, "skipped": [], "losses": ["logit_bias: no place for it"],
    "scores": [{"plugin": "scorer.heuristic", "value": 61.4, "weight": 1.0, "reason": "code in several files", "candidate": None}],
    "candidates": ["groq/llama-4", "anthropic/claude-sonnet-5", "local/qwen3-8b"], "order": ["groq/llama-4", "anthropic/claude-sonnet-5"],
    "considered": [
        {"candidate": "groq/llama-4", "place": 1, "plugin": "selector.tiers", "reason": "score 61: complex", "usd": 0.002},
        {"candidate": "anthropic/claude-sonnet-5", "place": 2, "plugin": "selector.tiers", "reason": "stands by, 1 before it", "usd": 0.02},
        {"candidate": "local/qwen3-8b", "place": None, "plugin": "policy.caps", "reason": "its window is too small", "usd": 0.0},
    ],
    "removed": [{"candidate": "local/qwen3-8b", "plugin": "policy.caps", "reason": "its window is too small"}],
    "provider": "anthropic", "model": "claude-sonnet-5", "grade": None, "status": "ok", "http_status": 200, "error": None,
    "usage": {"input_tokens": 9000, "output_tokens": 700, "cache_read": 6000, "cache_write": 0, "reasoning": 200, "estimated": False},
    "cost": 0.0213, "spent": 0.0213, "billed": "operator", "cache": "off", "queue": 0.0, "first_token": 1.1, "duration": 2.4,
    "saved_tokens": 4200, "saved_usd": 0.0126,
    "savings": [{"plugin": "compressor.tools", "tokens": 3000, "usd": 0.009},
                {"plugin": "compressor.history", "tokens": 1200, "usd": 0.0036}],
    "attempts": [
        {"candidate": "groq/llama-4", "error": "overloaded", "status": 503, "code": "busy", "at": 0.01, "seconds": 0.4, "first_token": None,
         "usage": None, "cost": None},
        {"candidate": "anthropic/claude-sonnet-5", "error": None, "status": None, "code": None, "at": 0.42, "seconds": 1.98,
         "first_token": 0.68, "usage": None, "cost": 0.0213},
    ],
}  # fmt: skip


class World:
    """A gateway with keys and a journal, whom it has served, and a browser that notes everything it complains of."""

    def __init__(self, served, chromium, keys=()):
        self.url = served.url
        self.gateway = served
        self.chromium = chromium
        self.keys = keys
        self.said = []

    def page(self, place="", key="", **options):
        """A new page, shown to `key`."""
        options = {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light", **options}
        page = self.chromium.new_context(**options).new_page()
        page.set_default_timeout(MS)
        page.on("console", lambda message: self.said.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.add_init_script(
            "addEventListener('securitypolicyviolation', e => console.error('CSP', e.violatedDirective, e.blockedURI))"
        )
        if key:
            page.add_init_script(f"sessionStorage.setItem('lynkr-key', '{key}')")
        page.goto(f"{self.url}/dashboard{place}")
        return page


@pytest.fixture(scope="module")
def chromium():
    with demo.browser() as started:
        yield started


@pytest.fixture(scope="module")
def served(chromium, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    demo.keep(folder, [{**RECORD, "created": time.time() - 5400}])
    with demo.running(folder) as running:
        keys = demo.make_keys(running.url)
        for number in range(12):
            demo.chat(running.url, f"hello {number} [[echo: usage 2000 100]]", keys[number % 2], stream=number % 3 == 0)
        for _ in range(4):
            demo.chat(running.url, "hi", keys[0], model="medium")
        demo.chat(running.url, "hi [[echo: usage 20000 1000]]", keys[0], model="complex")
        demo.chat(running.url, "hi", keys[1], model=HARM)
        yield World(running, chromium, keys)


@pytest.fixture(scope="module")
def empty(chromium, tmp_path_factory):
    folder = tmp_path_factory.mktemp("empty")
    (folder / "lynkr.toml").write_text('[provider.up]\nuse = "echo"\n[extension.dashboard]\n')
    with demo.gateway(cwd=folder) as running:
        yield World(running, chromium)


@pytest.fixture
def world(served):
    served.said.clear()
    yield served
    for context in served.chromium.contexts:
        context.close()
    assert served.said == []


def figure(page, name):
    return page.locator(".figure", has_text=name).locator("dd").first.inner_text()


def test_the_figures_are_those_of_the_gateway(world):
    page = world.page(key=demo.ADMIN)
    page.wait_for_selector(".chart canvas")
    usage = demo.told(world.url, "/v1/usage?since=24h", demo.ADMIN)["total"]
    assert figure(page, "Requests") == str(usage["requests"])
    assert figure(page, "Saved") == "$0.013"
    assert float(figure(page, "Spend").removeprefix("$")) == pytest.approx(usage["usd"], rel=0.06)
    assert page.locator("#tiers").is_visible()
    assert re.search(r"\$4\.92 left of \$5\.00", page.locator(".budgets").inner_text())
    models = page.locator("section", has=page.locator("#models")).inner_text()
    assert "openai/gpt-5.4-mini" in models
    assert re.search(r"groq/llama-4.*open", models, re.S)
    plugins = page.locator("section", has=page.locator("#plugins")).inner_text()
    assert "policy.breaker" in plugins
    assert "errors" not in page.locator("section", has=page.locator("#plugins")).locator("tbody").inner_text()


def test_recommendations_say_what_is_known(world):
    page = world.page(key=demo.ADMIN)
    items = page.locator(".advice li")
    items.first.wait_for()
    states = {item.locator("b").inner_text(): item.locator(".state").inner_text() for item in items.all()}
    assert set(states.values()) <= {"actionable", "clean", "not measured"}
    assert (states["Providers"], states["Plugins"], states["Speed"]) == ("actionable", "clean", "not measured")
    assert "groq/llama-4" in page.locator(".advice").inner_text()
    page.locator(".advice li", has_text="Plugins").locator(".state").focus()
    assert "no errors" in page.locator(".note").inner_text()


def test_what_comes_is_shown_without_asking_again(world):
    page = world.page(key=demo.ADMIN)
    page.wait_for_selector(".requests tbody tr")
    caller = http.client.HTTPConnection(world.gateway.address)
    body = {"model": "auto", "messages": [{"role": "user", "content": "[[echo: delay 100]] hello"}]}
    caller.request("POST", "/v1/chat/completions", json.dumps(body), {"x-api-key": world.keys[2]})
    page.wait_for_selector(".requests tr.open .who:has-text('review-bot')")
    caller.close()
    page.wait_for_selector(".requests tr:not(.open):has(.who:has-text('review-bot')) .status:has-text('cancelled')")
    assert page.locator(".requests tr.open").count() == 0


def test_a_request_is_a_picture_of_its_way(world):
    page = world.page(f"#/request/{TOLD}", key=demo.ADMIN)
    page.wait_for_selector(".story")
    story = page.locator(".story").inner_text()
    for part in (
        "claude-code asked for auto",
        "61 of 100",
        "complex",
        "groq/llama-4 failed (overloaded)",
        "in 2.40 s",
        "for $0.021",
    ):
        assert part in story, part
    assert [stage.inner_text() for stage in page.locator(".stage h2").all()] == [
        "Arrived",
        "Weighed",
        "Chosen",
        "Tried",
        "Answered",
    ]
    assert page.locator(".candidates s").inner_text() == "local/qwen3-8b"
    assert "its window is too small" in page.locator(".candidates .out").inner_text()
    assert page.locator(".ruler b").inner_text() == "61"
    tracks = [
        track.evaluate("e => [e.offsetLeft, e.offsetWidth, e.parentElement.offsetWidth]")
        for track in page.locator(".track i").all()
    ]
    (first, took, whole), (second, longer, _) = tracks
    assert first < took + first <= second + 1
    assert second / whole == pytest.approx(0.42 / 2.4, abs=0.02)
    assert longer / whole == pytest.approx(1.98 / 2.4, abs=0.02)
    savings = page.locator(".savings").inner_text()
    assert re.search(r"compressor\.tools\s+3,000 tokens\s+\$0\.0090", savings)
    assert "compressor.history" in savings
    assert "6,000 from the prompt cache" in page.locator(".keys").inner_text()


def test_who_was_left_alone_is_crossed_out_once(world):
    row = next(
        row
        for row in demo.told(world.url, "/v1/admin/live?wait=0", demo.ADMIN)["finished"][::-1]
        if row["model_asked"] == "medium"
    )
    page = world.page(f"#/request/{row['id']}", key=demo.ADMIN)
    page.wait_for_selector(".candidates")
    assert page.locator(".candidates th", has_text="groq/llama-4").count() == 1
    assert "is left alone" in page.locator(".candidates .out").inner_text()
    assert "asked for medium, a tier" in page.locator(".story").inner_text()


def test_the_list_leads_to_a_request_and_escape_back(world):
    page = world.page(key=demo.ADMIN)
    page.wait_for_selector(".requests tbody a")
    page.keyboard.press("/")
    page.keyboard.type("fallback")
    page.locator(".requests tbody tr").first.locator(".mark").wait_for()
    page.locator(".requests tbody a").last.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".stage")
    assert page.evaluate("document.activeElement.id") == "title"
    assert page.locator(".line .failed").count() == 1
    page.keyboard.press("Escape")
    page.wait_for_selector(".requests")


def test_it_asks_for_a_key_and_everybody_sees_its_own(world):
    page = world.page()
    page.wait_for_selector("#key")
    assert page.evaluate("document.activeElement.id") == "key"
    page.fill("#key", "lk_wrong")
    page.keyboard.press("Enter")
    page.wait_for_selector("#wrong")
    world.said.clear()  # the browser tells of every 401
    page.fill("#key", world.keys[1])
    page.keyboard.press("Enter")
    page.wait_for_selector(".requests tbody tr")
    assert set(page.locator(".requests .who").all_inner_texts()) == {"codex"}
    assert "yours only" in page.locator(".live").inner_text()
    assert "everyone" not in page.locator("main").inner_text()
    assert world.keys[1] not in page.url + page.evaluate("JSON.stringify(localStorage) + document.cookie")
    page.goto(f"{world.url}/dashboard#/request/{TOLD}")
    page.wait_for_selector("text=There is no record of this request")
    page.click("text=forget key")
    page.wait_for_selector("#key")
    assert page.evaluate("sessionStorage.length") == 0
    world.said.clear()


def test_a_refused_key_is_not_shown_again_and_again(world):
    page = world.page()
    page.wait_for_selector("#key")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.install()
    page.fill("#key", "lk_wrong")
    page.keyboard.press("Enter")
    page.wait_for_selector("#wrong")
    page.clock.fast_forward(120_000)
    page.evaluate("() => fetch('health/live')")
    assert [url for url in asked if "/v1/" in url] == [f"{world.url}/v1/admin/live?after=&wait=0&limit=500"]
    world.said.clear()


def test_it_says_when_sums_cannot_be_had(world):
    page = world.page()
    page.route("**/v1/admin/series*", lambda route: route.fulfill(status=503, body="{}"))
    page.fill("#key", demo.ADMIN)
    page.keyboard.press("Enter")
    page.wait_for_selector("text=The journal cannot be read: status 503")
    world.said.clear()


def test_what_callers_write_is_text_and_nothing_runs_inside_the_page(world):
    page = world.page(key=demo.ADMIN)
    page.wait_for_selector(".requests tbody tr")
    assert HARM in page.locator(".requests").inner_text()
    assert page.locator(".requests img").count() == 0
    assert page.title() == "lynkr"
    page.evaluate(
        "() => { const s = document.createElement('script'); s.textContent = 'document.title = 1'; document.body.append(s) }"
    )
    assert page.title() == "lynkr"
    assert any("CSP" in line for line in world.said)
    world.said.clear()


CONTRAST = (Path(__file__).parent / "contrast.js").read_text()
NAMELESS = """() => [...document.querySelectorAll('button, a, input, [role=img], [tabindex]')].filter((e) => e.checkVisibility() &&
  !(e.ariaLabel || e.textContent.trim() || e.labels?.length || e.id === 'main')).map((e) => e.outerHTML)"""
WIDER = "() => [document.documentElement.scrollWidth, innerWidth]"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("place", ["", f"#/request/{TOLD}"])
def test_everything_can_be_read_and_has_a_name(world, scheme, place):
    page = world.page(place, key=demo.ADMIN, color_scheme=scheme)
    page.wait_for_selector(".stage" if place else ".chart canvas")
    assert page.evaluate(CONTRAST) == []
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == (
        "rgb(19, 19, 18)" if scheme == "dark" else "rgb(250, 249, 246)"
    )


def test_the_theme_can_be_chosen_and_stays(world):
    page = world.page(key=demo.ADMIN, color_scheme="light")
    for _ in range(2):
        page.click("button[aria-label^=Theme]")
    page.wait_for_selector("[data-theme=dark]")
    page.reload()
    page.wait_for_selector("[data-theme=dark]")


@pytest.mark.parametrize("place", ["", f"#/request/{TOLD}"])
def test_it_fits_a_telephone(world, place):
    page = world.page(place, key=demo.ADMIN, viewport={"width": 390, "height": 844})
    page.wait_for_selector(".stage" if place else ".chart canvas")
    width, window = page.evaluate(WIDER)
    assert (window, width <= window) == (390, True)


def test_the_keyboard_reaches_everything_in_order(world):
    page = world.page(key=demo.ADMIN)
    page.wait_for_selector(".chart canvas")
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                "document.activeElement.textContent.slice(0, 30) || document.activeElement.id || document.activeElement.className"
            )
        )
    wanted = ["Skip to the figures", "lynkr", "24h", "Spend", "Over time", "saved", "chart", "agent", "Recommendations"]
    places = [next(n for n, text in enumerate(reached) if text.startswith(name)) for name in wanted]
    assert places == sorted(places)
    page.locator(".figure span", has_text="Spend").focus()
    assert "never as free" in page.locator(".note").inner_text()
    page.keyboard.press("Escape")
    assert page.locator(".note").is_hidden()
    page.locator(".chart").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".legend-head")).not_to_contain_text("last 24h")


def test_other_times_and_groups_are_a_press_away(world):
    page = world.page(key=demo.ADMIN)
    page.click("button:text-is('7d')")
    page.click("button:text-is('agent')")
    page.click("button:text-is('requests')")
    page.wait_for_selector(".legend th:has-text('claude-code')")
    told = json.loads(demo.call(world.url, "/v1/admin/series?since=7d&by=agent", demo.ADMIN)[1])
    counts = {group["group"]: sum(point["requests"] for point in group["points"]) for group in told["groups"]}
    row = page.locator(".legend tr", has_text="claude-code").inner_text()
    assert str(counts["claude-code"]) in row


def test_without_anything_to_show_it_says_so_and_how_to_get_it(empty):
    page = empty.page()
    page.wait_for_selector("text=No requests yet")
    text = page.locator("main").inner_text()
    for part in ("[sink.journal]", "[tiers]", "[policy.budget]", "No model has been asked yet"):
        assert part in text, part
    assert {state.inner_text() for state in page.locator(".advice .state").all()} == {"not measured", "clean"}
    page.goto(f"{empty.url}/dashboard#/request/req_0")
    page.wait_for_selector("text=There is no record of this request")
    assert not [line for line in empty.said if "404" not in line]


def test_it_says_when_the_gateway_is_gone(empty):
    page = empty.page()
    page.wait_for_selector("text=No requests yet")
    empty.gateway.stop()
    page.wait_for_selector("[role=alert]:has-text('cannot be reached')")
    assert "not connected" in page.locator(".live").inner_text()
    assert "What is shown is from before" in page.locator("[role=alert]").inner_text()
    page.context.close()
