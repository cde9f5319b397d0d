// Charts by uPlot, which set-up brings; without it everything else works.

import {value} from "./words.js";

let UPlot = null;
/** Resolves to whether there are charts. */
export const ready = import("./uPlot.esm.js").then(
  (module) => { UPlot = module.default; return true; }, () => false,
);

const style = getComputedStyle(document.documentElement);
const colour = (name) => style.getPropertyValue(`--${name}`).trim();
const SHADES = {lost: "lost", stale: "stale", stopped: "stopped", sleeping: "sleeping"};
const DASHED = [4, 4];

/** A line without anything around it, in `place`. */
export class Spark {
  constructor(place, width, height, name = "accent") {
    if (!UPlot) return;
    this.chart = new UPlot({
      width, height, pxAlign: false, padding: [3, 2, 3, 2],
      legend: {show: false}, cursor: {show: false}, select: {show: false},
      axes: [{show: false}, {show: false}],
      scales: {x: {time: false}, y: {range: roomy}},
      series: [{}, {stroke: () => colour(name), width: 1.5, points: {show: false}}],
    }, [[], []], place);
  }

  show(values) {
    this.chart?.setData([values.map((_, at) => at), values.map(sane)]);
  }

  resize(width, height) {
    this.chart?.setSize({width, height});
  }

  redraw() {
    this.chart?.redraw(false);
  }
}

const LARGEST = 1e30;  // uPlot never comes to an end with ticks of what is far larger

/** A number that can be drawn, or null. */
const sane = (number) => Math.abs(number ?? Infinity) < LARGEST ? number : null;

/** A little room above and below, also around a flat line; more than a number's last digit. */
function roomy(_, least, most) {
  if (least === null) return [0, 1];
  const size = Math.max(Math.abs(least), Math.abs(most));
  const room = most === least ? size * 0.01 || 1 : Math.max((most - least) * 0.08, size * 1e-6, 1e-20);
  return [least - room, most + room];
}

/** One channel of a device over time, with its gaps. */
export class Chart {
  constructor(place, key, width, sync) {
    this.bands = this.holes = [];
    if (!UPlot) return;
    const axis = {stroke: () => colour("soft"), font: "11px system-ui, sans-serif",
      grid: {stroke: () => colour("line"), width: 1}, ticks: {show: false}};
    const line = (label, dash) => ({label, dash, stroke: () => colour("accent"), width: 1.75,
      points: {show: (chart) => chart.data[0].length < 40, size: 4},
      value: (_, number) => value(number)});
    this.chart = new UPlot({
      width, height: 160, cursor: {sync: {key: sync}, y: false, drag: {x: false, y: false}},
      scales: {x: {time: true}, y: {range: roomy}},
      axes: [{...axis, size: 38}, {...axis, size: 48}],
      series: [{label: "time", value: (_, seconds) => seconds ? new Date(seconds * 1000).toLocaleTimeString("en-GB") : "–"},
        line(key), {...line("delivered later", DASHED), stroke: () => colour("late")}],
      hooks: {drawClear: [(chart) => this.#shade(chart)]},
    }, [[], [], []], place);
  }

  /** series: from `drawable`. bands: [[from, to, state], ...] in ms; until: ms. */
  show(series, bands, until) {
    this.bands = bands;
    this.holes = series.holes;
    if (!this.chart) return;
    this.chart.setData([series.times, series.live, series.late], false);
    const from = series.times[0] ?? until / 1000 - 60;
    this.chart.setScale("x", {min: from, max: Math.max(until / 1000, from + 10)});
  }

  resize(width) {
    this.chart?.setSize({width, height: 160});
  }

  redraw() {
    this.chart?.redraw(false);
  }

  destroy() {
    this.chart?.destroy();
  }

  #shade(chart) {
    const {left, top, width, height} = chart.bbox;
    const place = (ms) => Math.max(left, Math.min(left + width, chart.valToPos(ms / 1000, "x", true)));
    const fill = (from, to, name, alpha) => {
      chart.ctx.globalAlpha = alpha;
      chart.ctx.fillStyle = colour(name);
      chart.ctx.fillRect(place(from), top, Math.max(2, place(to) - place(from)), height);
    };
    for (const [from, to, state] of this.bands) if (place(to) > left) fill(from, to, SHADES[state], 0.14);
    for (const [from, to] of this.holes) fill(from, to, "lost", 0.07);
    chart.ctx.globalAlpha = 1;
  }
}

/**
 * The lines of a channel: {times (s), live, late, holes: [[from, to, missing], ...]}.
 *
 * A line ends where a number is missing, or, for readings without numbers, where far more time
 * passed than usual. What is dated into an outage was delivered after it.
 */
export function drawable(history, key, bands) {
  const {times, streams, numbers} = history;
  const values = history.channels[key].map(sane);
  const steps = times.slice(1).map((time, at) => time - times[at]).sort((a, b) => a - b);
  const usual = steps[steps.length >> 1] || 1000;
  const found = {times: [], live: [], late: [], holes: []};
  const put = (time, live, late) => {
    found.times.push(time / 1000);
    found.live.push(live);
    found.late.push(late);
  };
  let wasLate = false;
  times.forEach((time, at) => {
    if (at) {
      const before = times[at - 1];
      const missing = streams[at] === streams[at - 1] && numbers[at] ? numbers[at] - numbers[at - 1] - 1 : 0;
      const apart = (!numbers[at] || streams[at] !== streams[at - 1]) && time - before > 4 * usual;
      if (missing > 0 || apart) {
        found.holes.push([before, time, Math.max(0, missing)]);
        put((before + time) / 2, null, null);
      }
    }
    const late = bands.some(([from, to, state]) => state === "lost" && time > from && time < to);
    // The two lines meet in a point that belongs to both.
    put(time, late && wasLate ? null : values[at], late || wasLate ? values[at] : null);
    wasLate = late;
  });
  return found;
}

/** Timeline [[ms, state, why], ...] -> the stretches in which the device was not online. */
export function bandsOf(timeline, now) {
  return timeline
    .map(([from, state], at) => [from, timeline[at + 1]?.[0] ?? now, state])
    .filter(([, , state]) => state in SHADES);
}
