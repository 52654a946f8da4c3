// One request as a picture: arrived → weighed → chosen → tried → answered.
import { ask } from "./api.js";
import { Bar, Empty, NOTHING, Tier, count, failed, html, moment, percent, seconds, sum, tip, usd, useEffect, useState } from "./lib.js";

export function Request({ id, live }) {
  const [record, setRecord] = useState(null);
  const [error, setError] = useState(null);
  useEffect(() => {
    const stop = new AbortController();
    setRecord(null);
    setError(null);
    ask(`v1/decisions/${encodeURIComponent(id)}`, stop.signal).then(setRecord, (told) => stop.signal.aborted || setError(told));
    return () => stop.abort();
  }, [id]);
  return html`<article class="request" aria-labelledby="title">
    <p class="back"><a href="#/">← All requests</a></p>
    <h1 id="title" tabIndex=${-1}>Request <code>${id}</code></h1>
    ${error ? html`<${Missing} error=${error} journal=${live && live.journal} />` : record ? html`<${Journey} record=${record} tiers=${(live && live.tiers) || []} />` : html`<p class="notice">Loading…</p>`}
  </article>`;
}

const Missing = ({ error, journal }) => html`<div class="notice" role="alert">
  <p><b>${error.status === 404 ? "There is no record of this request." : "The record cannot be read."}</b></p>
  <p>${journal === false ? html`Nothing is written down without a journal: add <code>[sink.journal]</code> to lynkr.toml.` : error.status === 404 ? "It may still be under way, belong to somebody else, or never have existed." : error.message}</p></div>`;

const name = (record) => (record.model ? `${record.provider}/${record.model}` : null);

/** The whole story in a sentence or two. */
function story(record) {
  const who = record.agent || record.key || record.user || "Somebody";
  const wanted = record.model_asked || "a model";
  const meaning = { auto: ", so lynkr chose", tier: ", a tier", alias: ", one of your names" }[record.route] || "";
  const wrong = record.attempts.filter((attempt) => attempt.error);
  const first = `${who === record.principal ? "A caller" : who} asked for ${wanted}${meaning}.`;
  const weighed = record.score === null ? "" : ` It was weighed at ${Math.round(record.score)} of 100${record.route === "auto" && record.tier ? `, which is ${record.tier}` : ""}.`;
  const left = new Set(record.removed.map((one) => one.candidate)).size;
  const out = left ? ` ${left} ${left === 1 ? "candidate was" : "candidates were"} crossed out.` : "";
  const before = wrong.length ? ` ${[...new Set(wrong.map((attempt) => attempt.candidate))].join(" and ")} failed (${[...new Set(wrong.map((attempt) => attempt.error.replaceAll("_", " ")))].join(", ")});` : "";
  const end = {
    ok: name(record) ? `${before} ${name(record)} answered in ${seconds(record.duration)}${record.cost === null ? ", at a price nobody knows" : ` for ${usd(record.cost)}`}.` : " lynkr answered by itself.",
    error: `${before} nobody answered.`, refused: ` It was refused: ${record.error || "no reason told"}.`,
    cut: `${before} the answer broke off.`, cancelled: `${before} the caller left before the end.`,
  }[record.status];
  return first + weighed + out + end;
}

function Journey({ record, tiers }) {
  return html`
    <p class="story">${story(record)}</p>
    <ol class="journey">
      <${Arrived} record=${record} />
      <${Weighed} record=${record} tiers=${tiers} />
      <${Chosen} record=${record} />
      <${Tried} record=${record} />
      <${Answered} record=${record} />
    </ol>
    <details class="raw"><summary>The record as it is</summary><pre tabIndex=${0}>${JSON.stringify(record, null, 2)}</pre></details>`;
}

const Stage = ({ title, about, told, children, state }) => html`<li class="stage" data-state=${state || "done"}>
  <header><h2><span ...${tip(about)}>${title}</span></h2><p>${told}</p></header>${children}</li>`;

const Facts = ({ of }) => html`<dl class="facts">${of.filter(([, value]) => value !== null && value !== undefined && value !== "").map(([key, value, about]) => html`<div key=${key}><dt>${about ? html`<span ...${tip(about)}>${key}</span>` : key}</dt><dd>${value}</dd></div>`)}</dl>`;

function Arrived({ record }) {
  const who = [record.key && `key ${record.key}`, record.user && `user ${record.user}`, record.team && `team ${record.team}`, record.agent && `agent ${record.agent}`].filter(Boolean).join(", ");
  return html`<${Stage} title="Arrived" about="What came in, from whom, and in which API's words." told=${`${moment(record.created)}, ${record.stream ? "to be streamed" : "to be answered whole"}`}>
    <${Facts} of=${[
      ["asked for", record.model_asked], ["by", who || record.principal], ["in", record.dialect, "The API that the caller speaks, and the operation."],
      ["conversation", record.session && html`<code>${record.session.slice(0, 40)}</code>`, record.session_from && `Known by: ${record.session_from}. Conversations stay with their model while that pays.`],
      ["task", record.task], ["read as", { auto: "any model may serve", tier: "a tier", alias: "one of your names", exact: "exactly this model" }[record.route]],
      ["waited", record.queue > 0.0005 ? seconds(record.queue) : null, "In queues of lynkr's, before anything was sent."],
    ]} />
    ${record.ask ? html`<blockquote>${record.ask.slice(0, 400)}${record.ask.length > 400 ? "…" : ""}</blockquote>` : null}
  <//>`;
}

const MOST_POINTS = 6;
const signed = (value) => `${value < 0 ? "−" : "+"}${Math.abs(Math.round(value * 10) / 10)}`;

function Weighed({ record, tiers }) {
  if (record.score === null && !record.scores.length)
    return html`<${Stage} title="Weighed" about="How demanding the request is, 0 to 100." told="Nobody scored it: the choice did not need it, or no scorer is enabled." state="skipped" />`;
  const points = Object.entries(record.points).filter(([, value]) => Math.abs(value) >= 0.05).sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
  const smaller = points.splice(MOST_POINTS);
  const most = Math.max(...points.map(([, value]) => Math.abs(value)), 1);
  return html`<${Stage} title="Weighed" about="How demanding the request is, 0 to 100. The weighted mean of all scorers falls into a tier."
    told=${html`${record.score === null ? "no score" : html`<b>${Math.round(record.score * 10) / 10}</b> of 100`}${record.tier && record.route === "auto" ? html` →\u00a0<${Tier} name=${record.tier} />` : record.tier ? ", though its tier was asked for" : ""}`}>
    ${record.score === null ? null : html`<${Ruler} score=${record.score} tiers=${tiers} tier=${record.route === "auto" ? record.tier : null} />`}
    <div class="split">
      <table class="plain"><caption>Scorers</caption><tbody>${record.scores.map((score) => html`<tr><th scope="row">${score.plugin}${score.candidate ? html` <span class="muted">of ${score.candidate}</span>` : ""}</th>
        <td><${Bar} label=${`${score.value} of 100`} parts=${[[score.value / 100, "fill", `${score.value} of 100, weight ${score.weight}`]]} /></td>
        <td class="number">${Math.round(score.value * 10) / 10}</td><td class="muted">${score.reason}</td></tr>`)}</tbody></table>
      ${points.length ? html`<table class="plain points"><caption><span ...${tip("What each thing that was seen added to the score, or took from it.")}>What counted</span></caption><tbody>${points.map(([key, value]) => html`<tr>
        <th scope="row">${key.replaceAll("_", " ")}</th>
        <td><span class="pole"><i class=${value < 0 ? "minus" : "plus"} style=${{ width: `${(50 * Math.abs(value)) / most}%` }}></i></span></td>
        <td class="number">${signed(value)}</td></tr>`)}${smaller.length ? html`<tr><th scope="row" class="muted">${smaller.length} smaller</th><td></td><td class="number muted">${signed(sum(smaller.map(([, value]) => value)))}</td></tr>` : null}</tbody></table>` : null}
    </div>
    ${record.gates.length ? html`<p class="foot">Decided at once by: ${record.gates.map((gate) => html`<code>${gate}</code> `)}</p>` : null}
  <//>`;
}

function Ruler({ score, tiers, tier }) {
  const bands = tiers.length ? tiers : [{ name: tier || "", from: 0, to: 100 }];
  return html`<div class="ruler" role="img" aria-label=${`Score ${Math.round(score)} on a scale from 0 to 100${tier ? `, in the tier ${tier}` : ""}`}>
    ${bands.map((band) => html`<i data-tier=${band.name} class=${band.name === tier ? "here" : ""} style=${{ left: `${band.from}%`, width: `${band.to - band.from}%` }}><span>${band.name}</span></i>`)}
    <b style=${{ left: `${Math.min(Math.max(score, 0), 100)}%` }}><span>${Math.round(score)}</span></b></div>`;
}

/** Each candidate once: those that were crossed out on the way keep their place in the order. */
function candidates(record) {
  const all = record.considered || [];
  const out = new Map(all.filter((one) => one.place === null).map((one) => [one.candidate, one]));
  const kept = all.filter((one) => one.place !== null).map((one) => ({ ...one, ...out.get(one.candidate), place: one.place, out: out.has(one.candidate) }));
  const placed = new Set(kept.map((one) => one.candidate));
  return [...kept, ...[...out.values()].filter((one) => !placed.has(one.candidate)).map((one) => ({ ...one, out: true }))];
}

function Chosen({ record }) {
  const all = candidates(record);
  const dearest = Math.max(...all.map((one) => one.usd || 0), 0);
  const about = "Who could serve it, in which order they are tried, and who was left out, why.";
  if (!all.length) return html`<${Stage} title="Chosen" about=${about} told=${record.reason || "No candidate was looked at."} state="skipped" />`;
  return html`<${Stage} title="Chosen" about=${about} told=${html`${record.reason || "as configured"}${record.selected_by ? html` <span class="muted">· ${record.selected_by}</span>` : ""}`}>
    <table class="candidates"><caption class="hidden">Candidates</caption><thead><tr><th scope="col"><span ...${tip("The place in the order in which they are tried.")}>#</span></th><th scope="col">Candidate</th>
      <th scope="col"><span ...${tip("What this request costs with it, for the tokens that were used. Bars compare them.")}>Price of this request</span></th><th scope="col">Why</th></tr></thead><tbody>
      ${all.map((one) => html`<tr key=${one.candidate} class=${one.out ? "out" : name(record) === one.candidate ? "first" : ""}>
        <td class="number">${one.out ? html`<span aria-hidden="true">✕</span>` : one.place}</td>
        <th scope="row">${one.out ? html`<s>${one.candidate}</s><span class="hidden"> left out</span>` : one.candidate}</th>
        <td class="price"><span class="number">${usd(one.usd)}</span>${one.usd !== null && dearest > 0 ? html`<${Bar} label=${`${percent(one.usd, dearest)} of the dearest`} parts=${[[one.usd / dearest, one.out ? "quiet" : "fill"]]} />` : null}</td>
        <td>${one.reason}${one.plugin && one.plugin !== record.selected_by ? html` <span class="muted">· ${one.plugin}</span>` : ""}</td></tr>`)}
    </tbody></table>
    ${record.skipped && record.skipped.length ? html`<p class="foot">Decided without: ${record.skipped.join("; ")}</p>` : null}
  <//>`;
}

/** When each attempt began; records of before this was kept have them one after the other. */
function timed(attempts) {
  let end = 0;
  return attempts.map((attempt) => {
    const at = attempt.at ?? end;
    end = Math.max(end, at + (attempt.seconds || 0));
    return { ...attempt, at };
  });
}

function Tried({ record }) {
  const all = timed(record.attempts);
  if (!all.length) return html`<${Stage} title="Tried" about="Each call of a provider, on a time line from the request's arrival." told="No provider was asked." state="skipped" />`;
  const end = Math.max(record.duration || 0, ...all.map((one) => one.at + (one.seconds || 0)), 1e-6);
  const share = (value) => `${Math.min((100 * value) / end, 100)}%`;
  return html`<${Stage} title="Tried" about="Each call of a provider, on a time line from the request's arrival to the end of its answer. The light part of a bar is the wait for the first token."
    told=${`${all.length === 1 ? "one attempt" : `${all.length} attempts`} in ${seconds(end)}`} state=${failed(record) ? "bad" : "done"}>
    <ol class="line" aria-label="Attempts">${all.map((one, n) => {
      const took = one.seconds ?? end - one.at;
      const first = record.stream ? one.first_token ?? 0 : 0;
      const told = one.error ? `${one.error.replaceAll("_", " ")}${one.status ? ` ${one.status}` : ""}${one.code ? ` (${one.code})` : ""} after ${seconds(took)}` : `answered in ${seconds(took)}${one.first_token !== null && record.stream ? `, first token after ${seconds(first)}` : ""}`;
      return html`<li key=${n} class=${one.error ? "failed" : ""}>
        <span class="what">${one.candidate} <span class=${one.error ? "bad" : "muted"}>${told}</span></span>
        <span class="number muted">${one.cost === null ? "" : usd(one.cost)}</span>
        <span class="track" role="img" aria-label=${`from ${seconds(one.at)} to ${seconds(one.at + took)}`} data-tip=${`${seconds(one.at)} – ${seconds(one.at + took)}`}>
          <i style=${{ left: share(one.at), width: share(took) }}>${one.error ? null : html`<em style=${{ width: `${took ? Math.min((100 * first) / took, 100) : 0}%` }}></em>`}</i></span></li>`;
    })}</ol>
    <p class="axis number muted"><span>0</span><span>${seconds(end / 2)}</span><span>${seconds(end)}</span></p>
  <//>`;
}

function Answered({ record }) {
  const usage = record.usage;
  const bad = failed(record) || record.status === "refused";
  return html`<${Stage} title="Answered" about="What the caller got, what it cost, and what was saved." state=${bad ? "bad" : "done"}
    told=${html`<span class="status" data-status=${record.status}>${record.status}</span> ${record.http_status || ""}${record.error && bad ? html` <span class="bad">${record.error}</span>` : ""}`}>
    ${usage ? html`<${Tokens} usage=${usage} saved=${record.saved_tokens} />` : null}
    <${Facts} of=${[
      ["cost", usage ? html`${usd(record.cost)}${record.cost === null ? " (price unknown)" : ""}` : null, "What the answer cost, by the price of the model that served."],
      ["spent", record.spent && record.spent !== record.cost ? usd(record.spent) : null, "What all attempts cost together."],
      ["saved", record.saved_usd ? usd(record.saved_usd) : null], ["billed to", usage ? record.billed : null],
      ["from cache", record.cache === "off" ? null : record.cache], ["took", seconds(record.duration)], ["first token", record.first_token && record.stream ? seconds(record.first_token) : null],
    ]} />
    <${Savings} record=${record} />
    ${record.losses.length ? html`<p class="foot">Left out on the way: ${record.losses.map((loss) => html`<code>${loss}</code> `)}</p>` : null}
    ${Object.keys(record.notes).length ? html`<p class="foot muted">${Object.entries(record.notes).map(([key, value]) => `${key}: ${value}`).join(" · ")}</p>` : null}
  <//>`;
}

function Tokens({ usage }) {
  const fresh = Math.max(usage.input_tokens - usage.cache_read - usage.cache_write, 0);
  const said = Math.max(usage.output_tokens - usage.reasoning, 0);
  const parts = [["from the prompt cache", usage.cache_read, "t0"], ["new input", fresh, "t1"], ["written to the cache", usage.cache_write, "t2"], ["reasoning", usage.reasoning, "t3"], ["answer", said, "t4"]].filter(([, value]) => value);
  const all = sum(parts.map(([, value]) => value)) || 1;
  return html`<${Bar} label=${parts.map(([what, value]) => `${count(value)} tokens ${what}`).join(", ")} parts=${parts.map(([what, value, kind]) => [value / all, kind, `${count(value)} tokens: ${what}`])} />
    <p class="keys">${parts.map(([what, value, kind]) => html`<span><i class=${`swatch ${kind}`}></i>${count(value)} ${what}</span>`)}${usage.estimated ? html`<span class="muted">estimated</span>` : null}</p>`;
}

function Savings({ record }) {
  if (!record.savings.length) return null;
  const sent = record.usage ? record.usage.input_tokens : 0;
  const most = Math.max(sent + record.saved_tokens, 1);
  return html`<table class="plain savings"><caption><span ...${tip("Tokens that each plugin kept from being sent, beside those that were.")}>Saved by</span></caption><tbody>
    ${record.savings.map((saving) => html`<tr><th scope="row">${saving.plugin}</th><td><${Bar} label=${`${count(saving.tokens)} tokens`} parts=${[[saving.tokens / most, "save"]]} /></td><td class="number">${count(saving.tokens)} tokens</td><td class="number">${usd(saving.usd)}</td></tr>`)}
    <tr><th scope="row" class="muted">sent</th><td><${Bar} label=${`${count(sent)} tokens`} parts=${[[sent / most, "t1"]]} /></td><td class="number">${count(sent)} tokens</td><td></td></tr></tbody></table>`;
}
