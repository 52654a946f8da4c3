// What the rows and sums come to. Pure: no page, no network.
import { count, failed, percent, quantile, seconds, served, sum, usd } from "./lib.js";

/** Sums over all points of all groups. */
export function totals(series) {
  const points = series ? series.groups.flatMap((group) => group.points) : [];
  const of = (name) => sum(points.map((point) => point[name]));
  const told = Object.fromEntries(
    ["requests", "errors", "unpriced", "input_tokens", "output_tokens", "cache_read", "saved_tokens", "saved_usd", "seconds"].map((name) => [name, of(name)]),
  );
  const priced = points.some((point) => point.requests && point.usd !== null);
  return { ...told, usd: priced || !told.requests ? of("usd") : null };
}

/** By candidate: how fast and how well it has served lately. */
export function models(rows) {
  const found = new Map();
  for (const row of rows) if (served(row)) found.set(served(row), [...(found.get(served(row)) || []), row]);
  return [...found].map(([id, own]) => ({
    id,
    requests: own.length,
    errors: own.filter(failed).length,
    first: [0.5, 0.95].map((share) => quantile(own.filter((row) => row.stream).map((row) => row.first_token), share)),
    whole: [0.5, 0.95].map((share) => quantile(own.map((row) => row.duration), share)),
  })).sort((a, b) => b.requests - a.requests);
}

export function latency(rows) {
  const own = rows.filter((row) => row.status === "ok");
  const of = (name, list) => ({ p50: quantile(list.map((row) => row[name]), 0.5), p95: quantile(list.map((row) => row[name]), 0.95), p99: quantile(list.map((row) => row[name]), 0.99), of: list.length });
  return { whole: of("duration", own), first: of("first_token", own.filter((row) => row.stream)) };
}

export function tally(rows, of) {
  const found = new Map();
  for (const row of rows) found.set(of(row), (found.get(of(row)) || 0) + 1);
  return found;
}

const ENOUGH = 10;
const clean = (text) => ({ state: "clean", text });
const todo = (text) => ({ state: "actionable", text });
const unknown = (text) => ({ state: "not measured", text });

/** Each says what to do, that there is nothing to do, or that nobody knows. */
export function advice(live, rows, series) {
  const all = totals(series);
  const checks = [
    ["Providers", providers(live)], ["Errors", errors(rows)], ["Fallbacks", fallbacks(rows)], ["Budgets", budgets(live)],
    ["Prices", prices(rows, all)], ["Prompt cache", cache(rows)], ["Tiers", tiers(live, rows)], ["Savings", savings(live, rows)],
    ["Speed", speed(rows)], ["Plugins", plugins(live)],
  ];
  const order = ["actionable", "clean", "not measured"];
  return checks.map(([name, told]) => ({ name, ...told })).sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state));
}

function providers(live) {
  if (!live.left_alone) return unknown("Enable [policy.breaker]: it leaves providers alone while they fail.");
  const names = Object.keys(live.left_alone);
  return names.length ? todo(`Left alone now: ${names.join(", ")}. Look at the reason under Models.`) : clean("No provider is left alone.");
}

function errors(rows) {
  const asked = rows.filter((row) => row.status !== "refused" && row.status !== "cancelled");
  if (asked.length < ENOUGH) return unknown(`Needs ${ENOUGH} requests that were tried; there are ${asked.length}.`);
  const wrong = asked.filter(failed);
  if (wrong.length < 3 || wrong.length / asked.length < 0.02) return clean(`${wrong.length} of the last ${asked.length} failed.`);
  const [worst, times] = most(wrong.map((row) => served(row) || row.error || "before any model"));
  return todo(`${wrong.length} of the last ${asked.length} failed, ${times} of them at ${worst}.`);
}

function fallbacks(rows) {
  const asked = rows.filter((row) => served(row));
  if (asked.length < ENOUGH) return unknown(`Needs ${ENOUGH} requests that were served; there are ${asked.length}.`);
  const moved = asked.filter((row) => row.fallback);
  if (moved.length / asked.length < 0.1) return clean(`${percent(moved.length, asked.length)} were not served by their first choice.`);
  const [tier] = most(moved.map((row) => row.tier || "no tier"));
  return todo(`${percent(moved.length, asked.length)} were not served by their first choice, most of them in ${tier}: put what works first.`);
}

function budgets(live) {
  if (!live.budgets) return unknown("No budget is set: [policy.budget] sets one.");
  const near = live.budgets.filter((one) => one.limit && one.used / one.limit >= 0.9);
  if (near.length) return todo(`${near.map((one) => `${one.subject} per ${one.per}`).join(", ")}: 90 % or more is used.`);
  return live.budgets.length ? clean("Every budget has more than a tenth left.") : unknown("No budget has been used yet.");
}

function prices(rows, all) {
  const used = rows.filter((row) => row.input_tokens !== null && row.input_tokens !== undefined);
  if (!used.length && !all.requests) return unknown("No request has used tokens yet.");
  const models = [...new Set(used.filter((row) => row.cost === null).map(served))].filter(Boolean);
  const times = Math.max(all.unpriced, used.filter((row) => row.cost === null).length);
  return times ? todo(`${count(times)} requests at an unknown price${models.length ? `: put ${models.slice(0, 3).join(", ")} into [prices]` : ""}. They are in no sum.`) : clean("Every request has a known price.");
}

function cache(rows) {
  const long = rows.filter((row) => row.input_tokens >= 1024);
  if (long.length < ENOUGH) return unknown(`Needs ${ENOUGH} requests of 1,024 tokens or more; there are ${long.length}.`);
  const read = sum(long.map((row) => row.cache_read));
  const all = sum(long.map((row) => row.input_tokens));
  if (read / all >= 0.2) return clean(`${percent(read, all)} of long prompts came from the providers' cache.`);
  return todo(`Only ${percent(read, all)} of long prompts came from the providers' cache: [selector.sticky] keeps conversations with their model.`);
}

function tiers(live, rows) {
  if (!live.tiers.length) return unknown("No [tiers] are configured.");
  const scored = rows.filter((row) => row.route === "auto" && row.score !== null);
  if (scored.length < ENOUGH) return unknown(`Needs ${ENOUGH} scored requests; there are ${scored.length}.`);
  const dear = scored.filter((row) => row.tier === "complex" || row.tier === "reasoning").length;
  if (dear / scored.length > 0.6) return todo(`${percent(dear, scored.length)} go to the two dearest tiers: try higher [tiers] bounds.`);
  return clean(`${percent(dear, scored.length)} go to the two dearest tiers.`);
}

function savings(live, rows) {
  const able = live.plugins.filter((plugin) => /^(compressor|cache)\./.test(plugin.id));
  const saved = sum(rows.map((row) => row.saved_tokens));
  if (saved) return clean(`${count(saved)} tokens were not sent in the last ${rows.length} requests.`);
  if (!able.length) return unknown("No compressor and no cache is enabled.");
  return rows.length < ENOUGH ? unknown(`Needs ${ENOUGH} requests; there are ${rows.length}.`) : todo(`${able.map((plugin) => plugin.id).join(", ")}: nothing saved in the last ${rows.length} requests.`);
}

function speed(rows) {
  const known = models(rows.filter((row) => row.status === "ok")).filter((model) => model.requests >= ENOUGH);
  if (known.length < 2) return unknown(`Needs two models with ${ENOUGH} answers each.`);
  const middle = quantile(known.map((model) => model.whole[0]), 0.5);
  const slow = known.filter((model) => model.whole[1] > 5 && model.whole[1] > 5 * middle);
  return slow.length ? todo(slow.map((model) => `${model.id}: a twentieth takes over ${seconds(model.whole[1])}.`).join(" ")) : clean("No model is much slower than the others.");
}

function plugins(live) {
  const off = live.plugins.filter((plugin) => plugin.off);
  if (off.length) return todo(`Switched off after errors: ${off.map((plugin) => plugin.id).join(", ")}. The log says why.`);
  const wrong = live.plugins.filter((plugin) => plugin.errors);
  return wrong.length ? todo(`Errors in ${wrong.map((plugin) => `${plugin.id} (${plugin.errors})`).join(", ")}. The log says why.`) : clean(`${live.plugins.length} plugins, no errors.`);
}

function most(names) {
  const [first] = [...tally(names, (name) => name)].sort((a, b) => b[1] - a[1]);
  return first;
}

export const shown = { usd, saved: usd, requests: count, tokens: count };
/** What a chart can show of a point. */
export const measures = {
  spend: { of: (point) => point.usd, as: usd, about: "What the operator paid providers, in US dollars, by the time requests arrived. Requests at an unknown price are in no sum." },
  saved: { of: (point) => point.saved_usd, as: usd, about: "What was not paid because compressors and caches kept tokens from being sent, at the price of the model that served." },
  requests: { of: (point) => point.requests, as: count, about: "Requests that arrived." },
  tokens: { of: (point) => point.input_tokens + point.output_tokens, as: count, about: "Tokens in and out, as providers counted them." },
};
