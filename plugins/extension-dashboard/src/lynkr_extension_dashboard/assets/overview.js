// The first page: what happens now, what it costs, who serves, what to do.
import { Bars } from "./chart.js";
import { advice, latency, measures, models, tally, totals } from "./figures.js";
import { Bar, Choice, Empty, NOTHING, Panel, TIERS, Tier, count, dayOf, failed, html, minuteOf, percent, seconds, served, sum, timeOf, tip, usd, useEffect, useMemo, useState } from "./lib.js";

const COLOURS = ["--c0", "--c1", "--c2", "--c3", "--c4", "--c5"];
const BY = ["model", "agent", "tier", "provider"];
const MOST_SHOWN = 60;

export function Overview({ live, rows, series, wrong, by, setBy, range, theme }) {
  return html`
    <${Strip} rows=${rows} series=${series} range=${range} />
    <div class="columns">
      <${Money} series=${series} wrong=${wrong} by=${by} setBy=${setBy} range=${range} theme=${theme} journal=${live.journal} />
      <${Advice} live=${live} rows=${rows} series=${series} />
    </div>
    <div class="columns">
      <${Requests} live=${live} rows=${rows} />
      <div class="stack">
        <${Tiers} live=${live} rows=${rows} />
        <${Budgets} live=${live} />
        <${Caches} rows=${rows} />
      </div>
    </div>
    <div class="columns even">
      <${Models} live=${live} rows=${rows} />
      <${Plugins} live=${live} />
    </div>`;
}

const Figure = ({ name, value, more, about, tone }) => html`
  <div class="figure" data-tone=${tone}><dt><span ...${tip(about)}>${name}</span></dt><dd>${value}</dd><dd class="more">${more}</dd></div>`;

function Strip({ rows, series, range }) {
  const all = totals(series);
  const known = Boolean(series);
  const { whole, first } = latency(rows);
  const input = all.input_tokens;
  const served = rows.filter((row) => row.model).length;
  const moved = rows.filter((row) => row.fallback).length;
  return html`<dl class="strip" aria-label="Figures">
    <${Figure} name="Spend" value=${known ? usd(all.usd) : NOTHING} more=${all.unpriced ? `${count(all.unpriced)} unpriced` : `last ${range}`}
      about="What the operator paid providers in this time. Requests whose price nobody knows are counted as unpriced, never as free." tone=${all.unpriced ? "warn" : ""} />
    <${Figure} name="Saved" value=${known ? usd(all.saved_usd) : NOTHING} more=${`${count(all.saved_tokens)} tokens not sent`}
      about="What compressors and caches kept from being paid, at the input price of the model that served." />
    <${Figure} name="Requests" value=${known ? count(all.requests) : NOTHING} more=${`${count(all.errors)} failed`}
      about="Requests that arrived in this time, and those of them that failed or broke off. Refused and cancelled ones are no failures." tone=${all.errors ? "warn" : ""} />
    <${Figure} name="Prompt cache" value=${percent(all.cache_read, input)} more=${`${count(all.cache_read)} of ${count(input)} tokens`}
      about="Share of input tokens that providers read from their own prompt caches: they cost a fraction of the others." />
    <${Figure} name="Latency" value=${seconds(whole.p50)} more=${`p95 ${seconds(whole.p95)} · p99 ${seconds(whole.p99)}`}
      about=${`From arrival to the end of the answer: half of the last ${whole.of} successful requests were faster than the large figure, 95 % faster than p95, 99 % faster than p99.`} />
    <${Figure} name="First token" value=${seconds(first.p50)} more=${`p95 ${seconds(first.p95)}`}
      about=${`From arrival to the first piece of a streamed answer: median and 95th percentile of the last ${first.of} streamed requests.`} />
    <${Figure} name="Fallbacks" value=${percent(moved, served)} more=${`${moved} of the last ${served}`}
      about="Share of the latest requests that were not served by the first choice, because it failed, was left alone or had no budget." tone=${served && moved / served > 0.1 ? "warn" : ""} />
  </dl>`;
}

function grouped(series, what, by) {
  const named = series.groups.map((group) => ({ name: group.group, values: group.points.map((point) => what.of(point) || 0), priced: group.points.some((point) => point.usd !== null) }));
  const of = (group) => sum(group.values);
  if (by === "tier") named.sort((a, b) => TIERS.indexOf(a.name) - TIERS.indexOf(b.name));
  else named.sort((a, b) => of(b) - of(a));
  const top = named.slice(0, COLOURS.length);
  const rest = named.slice(COLOURS.length);
  if (rest.length) top.push({ name: `${rest.length} others`, values: rest[0].values.map((_, n) => sum(rest.map((group) => group.values[n]))), rest: true });
  return top.map((group, n) => ({
    ...group,
    total: of(group),
    name: group.name ?? (by === "model" || by === "provider" ? "nobody" : `no ${by}`),
    colour: group.rest ? "--rest" : by === "tier" && TIERS.includes(group.name) ? `--${group.name}` : group.name === null ? "--rest" : COLOURS[n],
  }));
}

function Money({ series, wrong, by, setBy, range, theme, journal }) {
  const [measure, setMeasure] = useState("spend");
  const [at, setAt] = useState(null);
  const what = measures[measure];
  const groups = useMemo(() => (series ? grouped(series, what, by) : []), [series, measure, by]);
  const total = sum(groups.map((group) => group.total));
  const place = at !== null && groups.length && at < groups[0].values.length ? at : null;
  const when = place === null ? `last ${range}` : spanOf(series, place);
  const shown = (group) => (place === null ? group.total : group.values[place]);
  const label = `${measure} by ${by}, last ${range}: ${groups.map((group) => `${group.name} ${what.as(group.total)}`).join(", ") || "nothing"}. Arrow keys step through time.`;
  return html`<${Panel} id="money" title="Over time" about=${what.about}
    aside=${html`<${Choice} label="What is shown" of=${Object.keys(measures)} value=${measure} on=${setMeasure} />`}>
    ${!journal ? html`<${Empty}>No journal, so nothing is kept over time. Add <code>[sink.journal]</code> to lynkr.toml.<//>`
      : !series ? html`<${Empty}>${wrong ? `The journal cannot be read: ${wrong.message}. Trying again…` : "Loading…"}<//>`
      : !groups.length ? html`<${Empty}>No requests in the last ${range}.<//>`
      : html`<${Bars} since=${series.since} span=${series.span} groups=${groups} as=${what.as} label=${label} theme=${theme} on=${setAt} />`}
    <div class="legend">
      <div class="legend-head"><${Choice} label="Grouped by" of=${BY} value=${by} on=${setBy} /><span class="muted" aria-live="off">${when}</span></div>
      <table><caption class="hidden">${measure} by ${by}</caption><tbody>
        ${groups.map((group) => html`<tr key=${group.name}>
          <th scope="row"><i class="swatch" style=${{ background: `var(${group.colour})` }}></i>${group.name}</th>
          <td class="number">${group.priced === false && measure === "spend" ? "unpriced" : what.as(shown(group))}</td>
          <td class="number muted">${place === null ? percent(group.total, total) : ""}</td></tr>`)}
      </tbody></table>
    </div>
  <//>`;
}

const spanOf = (series, place) => {
  const at = series.since + place * series.span;
  return series.span >= 86_400 ? dayOf(at) : `${series.span >= 10_800 ? `${dayOf(at)} ` : ""}${minuteOf(at)}–${minuteOf(at + series.span)}`;
};

function Advice({ live, rows, series }) {
  const checks = advice(live, rows, series);
  return html`<${Panel} id="advice" title="Recommendations"
    about="Each check says actionable when something can be done, clean when all is well, and not measured when there is too little to tell: it never guesses.">
    <ul class="advice">${checks.map((check) => html`<li key=${check.name} data-state=${check.state}>
      <b>${check.name}</b><span class="state" ...${check.state === "actionable" ? {} : tip(check.text)}>${check.state}</span>${check.state === "actionable" ? html`<p>${check.text}</p>` : null}</li>`)}</ul>
  <//>`;
}

const STATUS = {
  ok: "Answered.", error: "Failed: every candidate that was tried gave an error.", refused: "Refused by lynkr before any model was asked.",
  cut: "The answer broke off on its way.", cancelled: "The caller left before the end.",
};
const STAGES = { deciding: "Waiting in a queue, or being scored.", waiting: "Sent; nothing has come back yet.", answering: "The answer is on its way." };

const asked = (row) => html`<span class="asked">${row.model_asked || NOTHING}</span>`;
const who = (row) => row.agent || row.key || row.user || row.team || row.principal;
const text = (row) => [row.id, row.model_asked, row.provider, row.model, row.tier, row.status, row.agent, row.key, row.user, row.team, row.principal, row.error, row.fallback ? "fallback" : ""].join(" ").toLowerCase();

function Requests({ live, rows }) {
  const [filter, setFilter] = useState("");
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (row) => words.every((word) => text(row).includes(word));
  const open = live.open.rows.filter(fits).reverse();
  const ended = rows.filter(fits).reverse();
  const find = (event) => {
    event.preventDefault();
    if (/^req_[0-9a-f]+$/.test(filter.trim())) location.hash = `#/request/${filter.trim()}`;
  };
  return html`<${Panel} id="requests" title="Requests" about="Those under way now, then those that ended last. Open one to see why it went where it went."
    aside=${html`<form onSubmit=${find}><input id="filter" type="search" placeholder="Filter, or a request id" aria-label="Filter requests, or go to a request id" value=${filter} onInput=${(event) => setFilter(event.target.value)} /></form>`}>
    <div class="scroll" tabIndex=${0} role="region" aria-label="Requests">
      <table class="requests"><thead><tr>
        <th scope="col"><span ...${tip("When it arrived, in your time zone.")}>Time</span></th>
        <th scope="col"><span ...${tip("The model that was asked for, and the one that served.")}>Asked → served</span></th>
        <th scope="col"><span ...${tip("How demanding it was found to be, 0 to 100, and the tier that this score falls into.")}>Tier</span></th>
        <th scope="col" class="number"><span ...${tip("Input and output tokens, as the provider counted them.")}>Tokens</span></th>
        <th scope="col" class="number"><span ...${tip("What the answer cost in US dollars. A dash: the price is not known.")}>Cost</span></th>
        <th scope="col" class="number"><span ...${tip("Seconds from arrival to the end of the answer.")}>Took</span></th>
        <th scope="col"><span ...${tip("Who asked: agent, key, user or team.")}>By</span></th>
        <th scope="col"><span ...${tip("How it ended.")}>Status</span></th>
      </tr></thead>
      <tbody>
        ${open.map((row) => html`<${Open} key=${row.id} row=${row} at=${live.at} />`)}
        ${ended.slice(0, MOST_SHOWN).map((row) => html`<${Ended} key=${row.id} row=${row} />`)}
      </tbody></table>
      ${!open.length && !ended.length ? html`<${Empty}>${rows.length ? "No request fits the filter." : html`No requests yet. Point a client at <code>${location.origin}</code> and they appear here.`}<//>` : null}
    </div>
    <p class="foot muted">${live.open.total} under way · ${Math.min(ended.length, MOST_SHOWN)} of ${ended.length} shown${live.process.workers > 1 ? ` · under way in one of ${live.process.workers} processes` : ""}${live.sees === "own" ? " · only yours" : ""}</p>
  <//>`;
}

function Open({ row, at }) {
  const [now, setNow] = useState(Date.now());
  const [offset] = useState(Date.now() / 1000 - at);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 250);
    return () => clearInterval(timer);
  }, []);
  return html`<tr class="open" data-stage=${row.stage}>
    <td class="number">${timeOf(row.created)}</td>
    <td>${asked(row)} <span class="arrow">→</span> ${served(row) || html`<span class="muted">choosing</span>`}</td>
    <td><${Tier} name=${row.tier} /> ${row.score === null ? "" : html`<span class="score">${Math.round(row.score)}</span>`}</td>
    <td class="number muted">${row.pieces ? `${row.pieces} pieces` : ""}</td><td></td>
    <td class="number">${seconds(Math.max(now / 1000 - offset - row.created, 0))}</td>
    <td class="who">${who(row)}</td>
    <td><span class="status" data-status="open" ...${tip(STAGES[row.stage], false)}>${row.stage}${row.attempts > 1 ? `, try ${row.attempts}` : ""}</span></td></tr>`;
}

function Ended({ row }) {
  const hit = row.cache === "hit" || row.cache === "semantic";
  return html`<tr>
    <td class="number"><a href=${`#/request/${row.id}`} aria-label=${`Request of ${timeOf(row.created)}: why it went where it went`}>${timeOf(row.created)}</a></td>
    <td>${asked(row)} <span class="arrow">→</span> ${served(row) || (hit ? "lynkr's cache" : html`<span class="muted">nobody</span>`)}${row.fallback ? html` <span class="mark" ...${tip("A fallback: not the first choice.", false)}>fallback</span>` : null}</td>
    <td><${Tier} name=${row.tier} /> ${row.score === null ? "" : html`<span class="score">${Math.round(row.score)}</span>`}</td>
    <td class="number" data-tip=${row.cache_read ? `${count(row.cache_read)} of the input from the provider's prompt cache` : null}>${row.input_tokens === null ? html`<span class="muted">${NOTHING}</span>` : html`${count(row.input_tokens)}<span class="muted"> / </span>${count(row.output_tokens)}`}</td>
    <td class="number">${usd(row.cost)}</td>
    <td class="number" data-tip=${row.first_token === null ? null : `first token after ${seconds(row.first_token)}`}>${seconds(row.duration)}</td>
    <td class="who">${who(row)}</td>
    <td><span class="status" data-status=${row.status} data-tip=${row.error || STATUS[row.status]}>${row.status}</span></td></tr>`;
}

function Tiers({ live, rows }) {
  const told = tally(rows.filter((row) => row.tier), (row) => row.tier);
  const all = sum([...told.values()]);
  const bands = live.tiers.length ? live.tiers : [...told.keys()].map((name) => ({ name, models: [] }));
  return html`<${Panel} id="tiers" title="Tiers" about=${`Into which tier the latest ${rows.length} requests fell. The score of a request, 0 to 100, decides the tier; the tier names the models.`}>
    ${!live.tiers.length && !all ? html`<${Empty}>No tiers. <code>[tiers]</code> in lynkr.toml sends simple requests to cheap models.<//>` : html`
      <${Bar} label=${bands.map((band) => `${band.name} ${percent(told.get(band.name) || 0, all)}`).join(", ")} parts=${bands.map((band) => [(told.get(band.name) || 0) / (all || 1), "", `${band.name}: ${told.get(band.name) || 0} requests`, band.name])} />
      <table class="plain"><caption class="hidden">Requests by tier</caption><tbody>${bands.map((band) => html`<tr key=${band.name}>
        <th scope="row"><${Tier} name=${band.name} /></th>
        <td class="muted clip" data-tip=${band.models.join(", ")}>${band.models[0] || ""}${band.models.length > 1 ? ` +${band.models.length - 1}` : ""}</td>
        <td class="number muted">${band.to === undefined ? "" : `${Math.round(band.from)}–${Math.round(band.to)}`}</td>
        <td class="number">${percent(told.get(band.name) || 0, all)}</td></tr>`)}</tbody></table>`}
  <//>`;
}

const amount = (value, unit) => (unit === "usd" ? usd(value) : count(value));

function Budgets({ live }) {
  const all = [...(live.budgets || [])].sort((a, b) => b.used / (b.limit || 1) - a.used / (a.limit || 1));
  return html`<${Panel} id="budgets" title="Budgets" about="What is left of each budget until it begins anew. The worst case of each request is set aside before it is sent, so none is overspent.">
    ${!live.budgets ? html`<${Empty}>No budget is set. <code>[policy.budget]</code> sets one.<//>`
      : !all.length ? html`<${Empty}>${live.sees === "own" ? "No budget is yours alone." : "No budget has been used yet."}<//>`
      : html`<ul class="budgets">${all.slice(0, 8).map((one) => {
        const share = one.limit ? Math.min(one.used / one.limit, 1) : 1;
        const left = Math.max(one.limit - one.used, 0);
        return html`<li key=${one.subject + one.per + one.unit}><span>${one.subject} <span class="muted">per ${one.per}</span></span>
          <span class="number"><b>${amount(left, one.unit)}</b> <span class="muted">${one.unit === "usd" ? "" : one.unit} left of ${amount(one.limit, one.unit)}</span></span>
          <${Bar} label=${`${percent(one.used, one.limit)} used`} parts=${[[share, share >= 0.9 ? "bad" : share >= 0.7 ? "near" : "fill", `${amount(one.used, one.unit)} used (${percent(one.used, one.limit)})${one.until ? `; begins anew ${dayOf(one.until)} ${minuteOf(one.until)}` : ""}`]]} /></li>`;
      })}</ul>${all.length > 8 ? html`<p class="foot muted">${all.length - 8} more, with more room left</p>` : null}`}
  <//>`;
}

function Caches({ rows }) {
  const hits = rows.filter((row) => row.cache === "hit" || row.cache === "semantic");
  const able = rows.filter((row) => row.cache !== "off").length;
  const used = rows.filter((row) => row.input_tokens);
  const read = sum(used.map((row) => row.cache_read));
  const input = sum(used.map((row) => row.input_tokens));
  return html`<${Panel} id="caches" title="Caches" about=${`Of the latest ${rows.length} requests: answers that lynkr gave from its own cache, and input that providers read from theirs.`}>
    <table class="plain"><caption class="hidden">Cache hits</caption><tbody>
      <tr><th scope="row"><span ...${tip("Answered by lynkr itself, without a provider: the same request, or one that means the same.")}>Answered from cache</span></th><td class="number muted">${able ? `${hits.length} of ${able}` : ""}</td><td class="number">${able ? percent(hits.length, able) : html`<span class="muted">not enabled</span>`}</td></tr>
      <tr><th scope="row"><span ...${tip("Input tokens that the provider had in its prompt cache.")}>Input from prompt caches</span></th><td class="number muted">${input ? `${count(read)} of ${count(input)}` : ""}</td><td class="number">${percent(read, input)}</td></tr>
    </tbody></table>
  <//>`;
}

function Models({ live, rows }) {
  const all = models(rows);
  const alone = live.left_alone || {};
  const names = Object.keys(alone).filter((name) => !all.some((model) => model.id === name));
  const state = (id) => alone[id] || alone[id.split("/")[0]];
  return html`<${Panel} id="models" title="Models" about=${`Who served the latest ${rows.length} requests, how fast, and whether the circuit breaker leaves them alone.`}>
    ${!all.length && !names.length ? html`<${Empty}>No model has been asked yet.<//>` : html`
    <div class="scroll" tabIndex=${0} role="region" aria-label="Models"><table><caption class="hidden">Models</caption><thead><tr>
      <th scope="col">Model</th>
      <th scope="col" class="number"><span ...${tip("Requests that it served, of the latest.")}>Served</span></th>
      <th scope="col" class="number"><span ...${tip("Of these, how many broke off or failed.")}>Failed</span></th>
      <th scope="col" class="number"><span ...${tip("First piece of streamed answers: median, and what 95 % are faster than.")}>First p50 / p95</span></th>
      <th scope="col" class="number"><span ...${tip("The whole answer: median, and what 95 % are faster than.")}>Whole p50 / p95</span></th>
      <th scope="col"><span ...${tip("Closed: requests go through. Open: it failed too often and is left alone. Half open: one request finds out whether it works again. Cooling down: a rate limit or quota is used up.")}>Breaker</span></th>
    </tr></thead><tbody>
      ${all.map((model) => html`<tr key=${model.id}><th scope="row">${model.id}</th><td class="number">${model.requests}</td><td class="number">${model.errors || html`<span class="muted">0</span>`}</td>
        <td class="number">${seconds(model.first[0])}<span class="muted"> / ${seconds(model.first[1])}</span></td><td class="number">${seconds(model.whole[0])}<span class="muted"> / ${seconds(model.whole[1])}</span></td>
        <td><${Breaker} of=${state(model.id)} enabled=${live.left_alone} /></td></tr>`)}
      ${names.map((name) => html`<tr key=${name}><th scope="row">${name}</th><td class="number muted">0</td><td></td><td></td><td></td><td><${Breaker} of=${alone[name]} enabled=${true} /></td></tr>`)}
    </tbody></table></div>`}
  <//>`;
}

const Breaker = ({ of, enabled }) =>
  !enabled ? html`<span class="muted">not enabled</span>`
    : !of ? html`<span class="state" data-state="clean">closed</span>`
    : html`<span class="state" data-state="actionable" ...${tip(of.reason || "no reason told")}>${of.state}${of.seconds ? `, ${seconds(of.seconds)} left` : ""}</span>`;

function Plugins({ live }) {
  const told = (status) => (status ? Object.entries(status).filter(([, value]) => typeof value !== "object").map(([name, value]) => `${name.replaceAll("_", " ")} ${typeof value === "number" ? count(value) : value}`).join(" · ") : "");
  const able = (plugin) => plugin.calls || plugin.status || plugin.off || plugin.errors;
  const quiet = live.plugins.filter((plugin) => !able(plugin));
  const all = live.plugins.filter(able).sort((a, b) => b.off - a.off || b.errors - a.errors || b.seconds - a.seconds);
  return html`<${Panel} id="plugins" title="Plugins" about="Every enabled plugin: how often it was called, what that took, and what it says of itself. One that fails again and again is switched off for a while.">
    <div class="scroll" tabIndex=${0} role="region" aria-label="Plugins"><table><caption class="hidden">Plugins</caption><thead><tr>
      <th scope="col">Plugin</th><th scope="col"><span ...${tip("ok, errors, or off after errors in a row.")}>Health</span></th>
      <th scope="col" class="number"><span ...${tip("Calls of its hooks since the start.")}>Calls</span></th>
      <th scope="col" class="number"><span ...${tip("Time it took per call, on average: one call in 64 is timed, and all that wait for something.")}>Each</span></th>
      <th scope="col"><span ...${tip("What the plugin tells of itself.")}>Says</span></th></tr></thead>
    <tbody>${all.map((plugin) => html`<tr key=${plugin.id}><th scope="row">${plugin.id}</th>
      <td><span class="state" data-state=${plugin.off || plugin.errors ? "actionable" : "clean"} ...${byHook(plugin.hooks) ? tip(byHook(plugin.hooks)) : {}}>${health(plugin)}</span></td>
      <td class="number">${plugin.calls ? count(plugin.calls) : html`<span class="muted">${NOTHING}</span>`}</td><td class="number">${plugin.calls ? each(plugin.seconds / plugin.calls) : html`<span class="muted">${NOTHING}</span>`}</td>
      <td class="says muted" data-tip=${told(plugin.status)}>${told(plugin.status)}</td></tr>`)}</tbody></table></div>
    ${quiet.length ? html`<p class="foot muted"><span ...${tip("Enabled, and not called by a hook yet: stores, providers and the like.")}>Also enabled</span>: ${quiet.map((plugin) => plugin.id).join(", ")}</p>` : null}
  <//>`;
}

const health = (plugin) => {
  const off = Object.values(plugin.hooks).filter((hook) => hook.left);
  if (plugin.off) return off.length ? `off, ${seconds(Math.max(...off.map((hook) => hook.left)))} left` : "off";
  return plugin.errors ? `${plugin.errors} errors` : "ok";
};
const byHook = (hooks) => Object.entries(hooks).filter(([, hook]) => hook.calls).map(([name, hook]) => `${name}: ${hook.state}, ${count(hook.calls)} calls, ${count(hook.errors)} errors, ${hook.mean_us === null ? "not timed" : each(hook.mean_us / 1e6)} each`).join("; ");
const each = (value) => (value < 0.001 ? `${(value * 1e6).toFixed(value < 1e-5 ? 1 : 0)} µs` : seconds(value));
