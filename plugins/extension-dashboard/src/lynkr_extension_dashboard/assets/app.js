// The page: what is shown, by the address; the key; the theme; the feed.
import { Refused, ask, follow, keys } from "./api.js";
import { Choice, html, render, timeOf, tip, useEffect, useRef, useState } from "./lib.js";
import { Overview } from "./overview.js";
import { Request } from "./request.js";
import { explain } from "./tips.js";

const RANGES = ["1h", "24h", "7d", "30d"];
const REFRESH = 20_000;
const THEMES = ["auto", "light", "dark"];

function useHash() {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const on = () => setHash(location.hash);
    addEventListener("hashchange", on);
    return () => removeEventListener("hashchange", on);
  }, []);
  return hash;
}

/** The chosen theme, and whether it is dark now: charts are drawn anew when that changes. */
function useTheme() {
  const [theme, setTheme] = useState(localStorage.getItem("lynkr-theme") || "auto");
  const media = matchMedia("(prefers-color-scheme: dark)");
  const [system, setSystem] = useState(media.matches);
  useEffect(() => {
    const on = (event) => setSystem(event.matches);
    media.addEventListener("change", on);
    return () => media.removeEventListener("change", on);
  }, []);
  useEffect(() => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    localStorage.setItem("lynkr-theme", theme);
  }, [theme]);
  return [theme, setTheme, theme === "auto" ? system : theme === "dark"];
}

/** What is known with this key: nothing of what another one has shown, nor that it was refused. */
function useFeed(key) {
  const nothing = { key, live: null, rows: [], error: null };
  const [feed, setFeed] = useState(nothing);
  useEffect(() => {
    setFeed(nothing);
    const refused = (error) => error.status === 401 || error.status === 403;
    return follow((live, rows) => setFeed({ key, live, rows, error: null }), (error) => setFeed((before) => ({ ...(refused(error) ? nothing : before), error })));
  }, [key]);
  return feed.key === key ? feed : nothing;
}

function useSeries(range, by, live, last) {
  const [series, setSeries] = useState(null);
  const [wrong, setWrong] = useState(null);
  const wanted = Boolean(live && live.journal);
  const due = useRef(0);
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    if (!wanted) return;
    const stop = new AbortController();
    due.current = Date.now() + 5000;
    ask(`v1/admin/series?since=${range}&by=${by}`, stop.signal).then(
      (told) => (setWrong(null), setSeries({ ...told, range, asked: by })),
      (error) => stop.signal.aborted || setWrong(error),
    );
    const timer = setTimeout(() => setTurn(turn + 1), REFRESH);
    return () => (stop.abort(), clearTimeout(timer));
  }, [range, by, wanted, turn]);
  useEffect(() => {
    if (!last) return;
    const timer = setTimeout(() => setTurn((before) => before + 1), Math.max(due.current - Date.now(), 300));
    return () => clearTimeout(timer);
  }, [last]);
  return [series && series.range === range && series.asked === by ? series : null, wrong];
}

function App() {
  const hash = useHash();
  const [theme, setTheme, dark] = useTheme();
  const [key, setKey] = useState(keys.get());
  const [asking, setAsking] = useState(false);
  const [range, setRange] = useState("24h");
  const [by, setBy] = useState("model");
  const { live, rows, error } = useFeed(key);
  const [series, wrong] = useSeries(range, by, live, rows.length ? rows[rows.length - 1].id : "");
  const locked = error instanceof Refused && (error.status === 401 || error.status === 403);
  const id = /^#\/request\/([\w-]{1,80})$/.exec(hash)?.[1];
  const use = (value) => (keys.set(value), setKey(value), setAsking(false));
  useEffect(explain, []);
  useEffect(() => {
    document.title = id ? `${id} · lynkr` : "lynkr";
    if (id) scrollTo(0, 0);
    if (id) document.getElementById("title")?.focus();
  }, [id]);
  useEffect(() => {
    const on = (event) => {
      if (event.target.closest("input, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "/") (event.preventDefault(), document.getElementById("filter")?.focus());
      if (event.key === "Escape" && location.hash.startsWith("#/request/")) location.hash = "#/";
    };
    addEventListener("keydown", on);
    return () => removeEventListener("keydown", on);
  }, []);
  return html`
    <a class="skip" href="#main" onClick=${(event) => (event.preventDefault(), document.getElementById("main").focus())}>Skip to the figures</a>
    <header class="top">
      <a class="name" href="#/">lynkr</a>
      <${State} live=${live} error=${error} />
      <span class="gap"></span>
      ${live && !id ? html`<${Choice} label="Time" of=${RANGES} value=${range} on=${setRange} />` : null}
      <button type="button" class="quiet" onClick=${() => setTheme(THEMES[(THEMES.indexOf(theme) + 1) % 3])} ...${tip("Light, dark, or as your system has it.", false)} aria-label=${`Theme: ${theme}`}>${{ auto: "◐", light: "○", dark: "●" }[theme]}<span class="long"> ${theme}</span></button>
      <button type="button" class="quiet" onClick=${() => (key ? use("") : setAsking(true))} ...${tip(key ? "Forget the key of this tab." : "See more with a key.", false)}>${key ? "forget key" : "key"}</button>
    </header>
    <main id="main" tabIndex=${-1}>
      ${error && !locked ? html`<p class="notice bad" role="alert">The gateway cannot be reached: ${error.message}. ${live ? "What is shown is from before." : ""} Trying again…</p>` : null}
      ${(locked || asking) ? html`<${Key} error=${locked && key ? error : null} on=${use} cancel=${asking && !locked ? () => setAsking(false) : null} />`
        : id ? html`<${Request} id=${id} live=${live} />`
        : live ? html`<${Overview} live=${live} rows=${rows} series=${series} wrong=${wrong} by=${by} setBy=${setBy} range=${range} theme=${dark} />`
        : error ? null : html`<p class="notice">Loading…</p>`}
    </main>`;
}

function State({ live, error }) {
  if (error) return html`<span class="live" data-state="off" role="status">not connected</span>`;
  if (!live) return html`<span class="live" role="status">connecting</span>`;
  const about = `Since ${timeOf(live.started)}. ${live.sees === "all" ? "You see everybody's requests." : `You see the requests of ${live.principal} only.`} Configuration ${live.kernel.config}.`;
  return html`<span class="live" data-state="on" ...${tip(about)}>live · ${live.open.total} under way${live.sees === "own" ? " · yours only" : ""}</span>`;
}

function Key({ error, on, cancel }) {
  const field = useRef(null);
  useEffect(() => field.current.focus(), []);
  const send = (event) => {
    event.preventDefault();
    if (field.current.value.trim()) on(field.current.value.trim());
  };
  return html`<form class="key" onSubmit=${send}>
    <h1>This gateway asks for a key</h1>
    <p>Your own key shows your own requests. The admin key shows everybody's. It stays in this tab, and is sent to this gateway only.</p>
    <label for="key">Key</label>
    <div><input id="key" ref=${field} type="password" autocomplete="off" spellcheck=${false} aria-invalid=${error ? "true" : "false"} aria-describedby=${error ? "wrong" : undefined} /><button type="submit">Show</button>${cancel ? html`<button type="button" class="quiet" onClick=${cancel}>Cancel</button>` : null}</div>
    ${error ? html`<p id="wrong" class="bad" role="alert">${error.message}</p>` : null}
  </form>`;
}

const place = document.getElementById("app");
place.textContent = "";
render(html`<${App} />`, place);
