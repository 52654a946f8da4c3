// What every part of the page uses: templates, and numbers as people read them.
import { h, render } from "./vendor/preact.js";
import { useEffect, useMemo, useRef, useState } from "./vendor/hooks.js";
import htm from "./vendor/htm.js";

export const html = htm.bind(h);
export { render, useEffect, useMemo, useRef, useState };

export const NOTHING = "–";
export const TIERS = ["simple", "medium", "complex", "reasoning"];

const known = (value) => value !== null && value !== undefined && Number.isFinite(value);
const rounded = (value, digits) => value.toLocaleString("en", { maximumFractionDigits: digits, minimumFractionDigits: digits });

/** 950, 1.2k, 3.4M */
export function count(value) {
  if (!known(value)) return NOTHING;
  for (const [size, sign] of [[1e9, "G"], [1e6, "M"], [1e4, "k"]])
    if (Math.abs(value) >= size) return rounded(value / (sign === "k" ? 1e3 : size), Math.abs(value) >= size * 10 ? 0 : 1) + sign;
  return rounded(value, 0);
}

/** Dollars: two digits that say something, however small. */
export function usd(value) {
  if (!known(value)) return NOTHING;
  if (value === 0) return "$0";
  const size = Math.abs(value);
  if (size >= 1000) return "$" + count(value);
  const digits = size >= 1 ? 2 : Math.min(9, 1 - Math.floor(Math.log10(size)));
  return "$" + rounded(value, Math.max(2, digits));
}

/** 4 ms, 820 ms, 1.24 s, 3 min */
export function seconds(value) {
  if (!known(value)) return NOTHING;
  if (value < 0.0095) return rounded(value * 1e3, 1) + " ms";
  if (value < 0.9995) return rounded(value * 1e3, 0) + " ms";
  if (value < 100) return rounded(value, value < 10 ? 2 : 1) + " s";
  return value < 7200 ? rounded(value / 60, 0) + " min" : value < 172800 ? rounded(value / 3600, 0) + " h" : rounded(value / 86400, 0) + " d";
}

export function percent(part, of) {
  if (!known(part) || !of) return NOTHING;
  const share = (100 * part) / of;
  return (share > 0 && share < 10 ? rounded(share, 1) : rounded(share, 0)) + " %";
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const short = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
/** The time of day, with the day when that is not today. */
export const timeOf = (at) => (new Date(at * 1000).toDateString() === new Date().toDateString() ? clock.format(at * 1000) : `${day.format(at * 1000)} ${short.format(at * 1000)}`);
export const dayOf = (at) => day.format(at * 1000);
export const moment = (at) => `${day.format(at * 1000)} ${clock.format(at * 1000)}`;
export const minuteOf = (at) => short.format(at * 1000);

/** The value below which this share of the values lies; null for none. */
export function quantile(values, share) {
  const sorted = values.filter(known).sort((a, b) => a - b);
  return sorted.length ? sorted[Math.max(Math.ceil(share * sorted.length) - 1, 0)] : null;
}

export const sum = (values) => values.reduce((total, value) => total + (value || 0), 0);
export const served = (row) => (row.model ? `${row.provider}/${row.model}` : null);
export const failed = (row) => row.status === "error" || row.status === "cut";

/** Properties of something that explains itself to the pointer, the keyboard and a screen reader. */
export const tip = (text, focusable = true) => ({ "data-tip": text, "aria-description": text, ...(focusable ? { tabIndex: 0 } : {}) });

export const Tier = ({ name }) =>
  name ? html`<span class="tier" data-tier=${name}>${name}</span>` : html`<span class="muted">${NOTHING}</span>`;

export const Panel = ({ title, about, aside, children, wide, id }) => html`
  <section class=${wide ? "panel wide" : "panel"} aria-labelledby=${id}>
    <header><h2 id=${id}><span ...${tip(about)}>${title}</span></h2>${aside}</header>
    ${children}
  </section>`;

export const Empty = ({ children }) => html`<p class="empty">${children}</p>`;

/** One of several, by buttons. */
export const Choice = ({ label, of, value, on }) => html`
  <div class="choice" role="group" aria-label=${label}>
    ${of.map((name) => html`<button type="button" aria-pressed=${name === value ? "true" : "false"} onClick=${() => on(name)}>${name}</button>`)}
  </div>`;

/** A bar that is a part of its place; `parts`: [share, class or null, tip, tier]. */
export const Bar = ({ parts, label }) => html`
  <div class="bar" role="img" aria-label=${label}>
    ${parts.map(([share, kind, about, tier]) =>
      share > 0 ? html`<i class=${kind || ""} data-tier=${tier} data-tip=${about} style=${{ width: `${100 * share}%` }}></i>` : null)}
  </div>`;
