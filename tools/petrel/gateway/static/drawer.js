// One device: its facts, charts with their gaps, commands, timeline and messages as they come.

import {Chart, bandsOf, drawable, ready} from "./charts.js";
import {STATES, about, bytes, clock, duration, grouped, moment, stateNote} from "./words.js";

const MOST_MESSAGES = 50;
const NARROW = matchMedia("(max-width: 720px)");
const place = (id) => document.getElementById(id);

export class Drawer {
  /** closed(): it was closed by somebody. */
  constructor(element, closed) {
    this.element = element;
    this.close = closed;
    this.id = null;
    this.charts = new Map();  // channel -> Chart
    this.paused = false;
    place("close").addEventListener("click", () => this.close());
    place("pause").addEventListener("click", (event) => {
      this.paused = !this.paused;
      event.target.setAttribute("aria-pressed", this.paused);
    });
    place("command").addEventListener("submit", (event) => { event.preventDefault(); this.#send(); });
    NARROW.addEventListener("change", () => this.#cover());
    new ResizeObserver(() => this.#resize()).observe(element);
    ready.then((there) => { if (!there) place("charts-note").textContent = "There are no charts: set-up could not fetch uPlot."; });
  }

  open(id, row) {
    if (this.id !== id) this.#clear();
    this.id = id;
    this.element.hidden = false;
    this.#cover();
    place("drawer-name").textContent = id;
    place("command").hidden = /[/+#]/.test(id);  // only what names a device can be asked
    this.row(row);
    place("drawer-name").focus();
  }

  hide() {
    this.id = null;
    this.element.hidden = true;
    this.#cover();
    this.#clear();
  }

  /** On a phone it lies over the rest. */
  #cover() {
    place("main").inert = NARROW.matches && !this.element.hidden;
  }

  #clear() {
    for (const chart of this.charts.values()) chart.destroy();
    this.charts.clear();
    for (const id of ["charts", "timeline", "messages", "facts", "answer", "drawer-state"]) place(id).replaceChildren();
  }

  row(row) {
    if (!this.id) return;
    if (!row) {
      place("drawer-state").textContent = "not heard of yet";
      return;
    }
    const now = Date.now();
    this.element.dataset.state = row.state;
    place("drawer-state").replaceChildren(
      made("b", `${STATES[row.state]} ${row.state}`), ` ${[...new Set([row.why, stateNote(row, now)])].join("; ")}`);
    const facts = [
      ["Last heard", row.heard ? `${about(now - row.heard)} ago` : "never"],
      ["Up for", row.born ? duration(now - row.born) : null],
      ["Last start by", row.boot], ["Version", row.v],
      ["Comes by", [row.via, row.format].filter(Boolean).join(", ")],
      ["Signal", row.rssi === undefined ? null : `${row.rssi} dBm`],
      ["Heap free", row.free === undefined ? null : bytes(row.free)],
      ["Waits in its queue", row.queued], ["Connects", row.connects],
      ["Readings received", row.received], ["Lost", row.lost], ["Awaited", row.awaited],
      ["Duplicates dropped", row.duplicates], ["Problem", row.problem],
      ["Not encrypted", row.insecure ? "it says so" : null],
    ].filter(([, value]) => value !== null && value !== undefined && value !== "");
    place("facts").replaceChildren(...facts.map(([name, value]) => {
      const pair = document.createElement("div");
      pair.append(made("dt", name), made("dd", typeof value === "number" ? grouped(value) : String(value)));
      return pair;
    }));
  }

  detail(device, now) {
    if (device.id !== this.id) return;
    const bands = bandsOf(device.timeline, now);
    for (const key of Object.keys(device.history.channels)) {
      if (!this.charts.has(key)) this.charts.set(key, this.#chart(key));
      const series = drawable(device.history, key, bands);
      this.charts.get(key).show(series, bands, now);
      const missing = series.holes.reduce((sum, hole) => sum + hole[2], 0);
      this.charts.get(key).title.textContent = missing ? `${key} – ${grouped(missing)} missing in ${series.holes.length} ${series.holes.length > 1 ? "gaps" : "gap"}` : key;
    }
    place("timeline").replaceChildren(...device.timeline.toReversed().map(([time, state, why]) =>
      item(time, `${STATES[state] ?? ""} ${state} – ${why}`)));
  }

  #chart(key) {
    const frame = document.createElement("div");
    frame.className = "chart";
    const title = made("h4", key);
    frame.append(title);
    place("charts").append(frame);
    const chart = new Chart(frame, key, place("charts").clientWidth, "drawer");
    chart.title = title;
    return chart;
  }

  messages({id, skipped, messages}) {
    if (id !== this.id || this.paused) return;
    const list = place("messages");
    if (skipped) list.prepend(made("li", `… ${skipped} more came meanwhile`));
    for (const message of messages) list.prepend(shown(message));
    while (list.children.length > MOST_MESSAGES) list.lastElementChild.remove();
  }

  async #send() {
    const text = place("command-text").value.trim();
    const answer = place("answer");
    let body = {cmd: text};
    if (text.startsWith("{")) {
      try { body = JSON.parse(text); } catch (error) { answer.textContent = `This is no JSON: ${error.message}`; return; }
    }
    const id = this.id;
    answer.textContent = "sent, waiting for the response …";
    const begun = performance.now();
    let told;
    try {
      const response = await fetch(`/api/devices/${encodeURIComponent(id)}/commands`, {method: "POST", body: JSON.stringify(body)});
      const found = await response.json();
      told = found.error && !response.ok ? found.error : `${JSON.stringify(found, null, 1)}\nafter ${Math.round(performance.now() - begun)} ms`;
    } catch {
      told = "The gateway could not be reached; whether the command was executed is not known.";
    }
    if (id === this.id) answer.textContent = told;
  }

  #resize() {
    const width = place("charts").clientWidth;
    if (width) for (const chart of this.charts.values()) chart.resize(width);
  }

  redraw() {
    for (const chart of this.charts.values()) chart.redraw();
  }
}

/** Text only ever becomes text: what a device is called or says is never markup. */
function made(tag, text) {
  const element = document.createElement(tag);
  element.textContent = text;
  return element;
}

function item(time, text) {
  const element = document.createElement("li");
  element.append(made("time", moment(time)), text);
  return element;
}

function shown({time, topic, data, raw, form, size}) {
  const element = document.createElement("li");
  const details = document.createElement("details");
  const summary = document.createElement("summary");
  summary.append(made("time", clock(time)), `${topic}, ${bytes(size)}`);
  details.append(summary, made("pre", form === "hex" ? `raw, in hexadecimal: ${raw}` : `raw: ${raw}`));
  element.append(details, made("pre", data === null ? "too long to be shown" : JSON.stringify(data)));
  return element;
}
