// Stacked bars over time, on uPlot. The list beside the chart has every number of it.
import uPlot from "./vendor/uplot.js";
import { dayOf, html, minuteOf, useEffect, useRef } from "./lib.js";

const GAP = 0.72;

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** `groups`: [{name, colour (a CSS variable), values}], the largest first; `on(place or null)` as the pointer or an arrow key moves. */
export function Bars({ since, span, groups, as, label, theme, on }) {
  const place = useRef(null);
  const plot = useRef(null);
  const at = useRef(null);
  const data = JSON.stringify(groups);
  useEffect(() => {
    const element = place.current; // the reference is gone before the observer is
    if (!element) return;
    const size = () => ({ width: element.clientWidth, height: element.clientHeight });
    const drawn = (plot.current = new uPlot(options(size(), { since, span, groups, as, on, at }), stacked(since, span, groups), element));
    const observer = new ResizeObserver(() => drawn.setSize(size()));
    observer.observe(element);
    return () => (observer.disconnect(), drawn.destroy(), on(null));
  }, [since, span, data, theme, label]);
  const step = (event) => {
    const steps = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!steps) return;
    event.preventDefault();
    const last = plot.current.data[0].length - 1;
    at.current = Math.max(0, Math.min(last, at.current === null ? last : at.current + steps));
    const x = plot.current.valToPos(plot.current.data[0][at.current], "x");
    plot.current.setCursor({ left: x, top: 10 });
  };
  return html`<div class="chart" role="img" tabIndex=${0} aria-label=${label} onKeyDown=${step} onBlur=${() => plot.current.setCursor({ left: -10, top: -10 })} ref=${place}></div>`;
}

/** The values of each group on top of those after it, the tallest first: it is drawn first, and the others over it. */
function stacked(since, span, groups) {
  const points = groups.length ? groups[0].values.length : 0;
  const times = Array.from({ length: points }, (_, n) => since + (n + 0.5) * span);
  let before = new Array(points).fill(0);
  const rows = [...groups].reverse().map((group) => (before = before.map((value, n) => value + (group.values[n] || 0))));
  return [times, ...rows.reverse()];
}

function options(size, { since, span, groups, as, on, at }) {
  const bars = uPlot.paths.bars({ size: [GAP, 48], align: 0 });
  const axis = { stroke: css("--muted"), font: `11px ${css("--sans")}`, ticks: { show: false }, border: { show: false } };
  const points = groups.length ? groups[0].values.length : 0;
  const end = since + points * span;
  const near = (end - since) * 0.03; // a label there would be cut off
  const named = (tick) => (end - tick < near ? "" : span >= 10_800 ? dayOf(tick) : minuteOf(tick));
  return {
    ...size, padding: [8, 4, 0, 0], legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    scales: { x: { time: true, range: [since, end] }, y: { range: (_, low, high) => [0, high > 0 ? high * 1.08 : 1] } },
    axes: [
      { ...axis, size: 30, grid: { show: false }, space: 64, values: (_, ticks) => ticks.map(named) },
      { ...axis, size: 58, grid: { stroke: css("--rule"), width: 1 }, space: 44, values: (_, ticks) => ticks.map(as) },
    ],
    series: [{}, ...groups.map((group) => ({ label: group.name, fill: css(group.colour), stroke: css(group.colour), width: 0, paths: bars, points: { show: false } }))],
    hooks: { setCursor: [(plot) => ((at.current = plot.cursor.idx ?? null), on(plot.cursor.left >= 0 ? plot.cursor.idx : null))] },
  };
}
