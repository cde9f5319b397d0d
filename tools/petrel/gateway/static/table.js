// The table of devices. Only the rows in sight exist: row i uses element i modulo their number.

import {Spark} from "./charts.js";
import {STATES, SEVERITY, about, bars, bytes, duration, grouped, stateNote, value} from "./words.js";

const SPARE = 4;  // rows above and below those in sight
const SPARKS_MS = 6;  // of a frame
const STILL_MS = 150;  // after scrolling: then trends are drawn
const SHOWN_VALUES = 3;

/** key -> what a column sorts by; numbers without a value come last. */
const SORTS = {
  state: (row) => SEVERITY.indexOf(row.state),
  id: () => 0,
  reading: (row) => -(row.at ?? 0),
  rssi: (row) => row.rssi ?? 1000,
  free: (row) => row.free ?? Infinity,
  born: (row) => -(row.born ?? -Infinity),
  queued: (row) => -(row.queued ?? -1),
  lost: (row) => -(row.lost * 1e6 + row.awaited),
  v: (row) => row.v ?? "\uffff",
};

export class Table {
  /** fleet: Map id -> row. chosen(id): somebody opens a device. */
  constructor(grid, fleet, chosen) {
    this.grid = grid;
    this.body = grid.querySelector(".rows");
    this.fleet = fleet;
    this.chosen = chosen;
    this.order = [];
    this.pool = [];
    this.sort = {key: "state", down: false};
    this.filter = {text: "", state: null};
    this.active = 0;
    this.stale = true;  // the order
    this.pending = new Set();  // row elements whose spark is to be drawn
    this.skew = 0;  // the gateway's clock before ours
    this.scrolled = -Infinity;
    grid.addEventListener("scroll", () => { this.scrolled = performance.now(); this.soon(); }, {passive: true});
    grid.addEventListener("keydown", (event) => this.#key(event));
    this.body.addEventListener("click", (event) => this.#click(event));
    for (const button of grid.querySelectorAll("[data-sort]")) {
      button.addEventListener("click", () => this.sortBy(button.dataset.sort));
    }
    new ResizeObserver(() => this.#resized()).observe(grid);
  }

  now() {
    return Date.now() + this.skew;
  }

  sortBy(key) {
    this.sort = {key, down: this.sort.key === key && !this.sort.down};
    this.reorder();
  }

  find(text, state) {
    this.filter = {text: text.trim().toLowerCase(), state};
    this.grid.scrollTop = 0;
    this.active = 0;
    this.reorder();
  }

  /** Sort and filter anew. */
  reorder() {
    const kept = this.order[this.active];
    const {text, state} = this.filter;
    const by = SORTS[this.sort.key];
    const rows = [...this.fleet.values()].filter(
      (row) => (!state || row.state === state) && (!text || words(row).includes(text)),
    );
    for (const row of rows) row.rank = by(row);
    const sign = this.sort.down ? -1 : 1;
    rows.sort((a, b) => a.rank < b.rank ? -sign : a.rank > b.rank ? sign : compare(a.id, b.id) * sign);
    this.order = rows.map((row) => row.id);
    this.stale = false;
    const at = this.order.indexOf(kept);
    if (at >= 0) this.active = at;
    this.active = Math.max(0, Math.min(this.active, this.order.length - 1));
    this.body.style.height = `${this.order.length * this.height}px`;
    this.grid.setAttribute("aria-rowcount", this.order.length + 1);
    for (const button of this.grid.querySelectorAll("[data-sort]")) {
      const on = button.dataset.sort === this.sort.key;
      button.parentElement.setAttribute("aria-sort", !on ? "none" : this.sort.down ? "descending" : "ascending");
    }
    this.onorder?.(this.order.length);
    this.soon();
  }

  /** Draw with the next frame. */
  soon() {
    this.frame ??= requestAnimationFrame(() => { this.frame = null; this.draw(); });
  }

  draw() {
    if (this.stale) this.reorder();
    const first = Math.max(0, Math.floor(this.grid.scrollTop / this.height) - SPARE);
    const last = Math.min(this.order.length, first + this.pool.length);
    for (let at = first; at < last; at++) {
      const element = this.pool[at % this.pool.length];
      const row = this.fleet.get(this.order[at]);
      if (row) this.#fill(element, row, at);
    }
    for (let at = last; at < first + this.pool.length; at++) this.#hide(this.pool[at % this.pool.length]);
    const active = this.active >= first && this.active < last ? this.pool[this.active % this.pool.length] : null;
    if (active) this.grid.setAttribute("aria-activedescendant", active.id);
    else this.grid.removeAttribute("aria-activedescendant");
    this.#sparks();
  }

  /** Ages pass without news. */
  tick() {
    this.soon();
  }

  #resized() {
    this.height = parseFloat(getComputedStyle(this.grid).getPropertyValue("--row"));
    const count = Math.ceil(this.grid.clientHeight / this.height) + 2 * SPARE;
    while (this.pool.length < count) this.pool.push(this.#element());
    for (const element of this.pool) Object.assign(element, {at: -1, drawn: null});
    this.body.style.height = `${this.order.length * this.height}px`;
    this.soon();
  }

  #element() {
    const element = document.getElementById("row").content.firstElementChild.cloneNode(true);
    element.id = `row-${this.pool.length}`;
    element.parts = Object.fromEntries(
      [...element.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]),
    );
    element.texts = {};
    this.body.append(element);
    return element;
  }

  #hide(element) {
    if (!element.hidden) element.hidden = true;
    element.at = -1;
  }

  #fill(element, row, at) {
    if (element.at !== at) {
      element.at = at;
      element.hidden = false;
      element.style.transform = `translateY(${at * this.height}px)`;
      element.setAttribute("aria-rowindex", at + 2);
    }
    const active = at === this.active;
    if (element.active !== active) {
      element.active = active;
      element.classList.toggle("active", active);
      element.setAttribute("aria-selected", active);
    }
    if (element.row !== row.id || element.drawn !== row.version) {
      this.#text(element, row);
      if (element.row !== row.id) element.parts.trend.dataset.old = true;
      if (element.row !== row.id || element.spark !== row.at) this.pending.add(element);
      Object.assign(element, {row: row.id, drawn: row.version, spark: row.at});
    }
    this.#ages(element, row);
  }

  #text(element, row) {
    const put = (part, text) => set(element, part, text);
    element.dataset.state = row.state;
    put("sign", STATES[row.state]);
    put("state", row.state);
    put("id", row.id);
    put("via", [row.via, row.format].filter(Boolean).join(" · ") || "–");
    put("v", row.v ?? "–");
    put("rssi", row.rssi === undefined ? "–" : `${row.rssi} dBm`);
    element.parts.bars.dataset.bars = row.rssi === undefined ? 0 : bars(row.rssi);
    put("free", row.free === undefined ? "–" : bytes(row.free));
    put("boot", row.boot ?? "");
    put("queued", row.queued === undefined ? "–" : grouped(row.queued));
    put("lost", row.lost ? `${grouped(row.lost)} lost` : row.received ? "none" : "–");
    put("awaited", row.awaited ? `${grouped(row.awaited)} awaited` : row.connects > 1 ? `${row.connects} connects` : "");
    element.parts.lost.dataset.bad = Boolean(row.lost);
    element.parts.queued.dataset.some = row.queued > 0;
    const values = Object.entries(row.reading ?? {});
    const shown = values.slice(0, SHOWN_VALUES);
    for (let place = 0; place < SHOWN_VALUES; place++) {
      put(`key${place}`, shown[place]?.[0] ?? "");
      put(`value${place}`, shown[place] ? value(shown[place][1]) : "");
    }
    put("more", values.length > SHOWN_VALUES ? `+${values.length - SHOWN_VALUES}` : "");
  }

  #ages(element, row) {
    const now = this.now();
    set(element, "note", stateNote(row, now));
    set(element, "age", row.heard ? `${about(now - row.heard)} ago` : "never");
    set(element, "up", row.born === undefined ? "–" : duration(now - row.born));
  }

  /** As many as fit a frame, the rest in the next. */
  #sparks() {
    if (performance.now() - this.scrolled < STILL_MS) {
      this.still ??= setTimeout(() => { this.still = null; this.soon(); }, STILL_MS);
      return;
    }
    const until = performance.now() + SPARKS_MS;
    for (const element of this.pending) {
      if (performance.now() > until) {
        this.soon();
        return;
      }
      this.pending.delete(element);
      const row = this.fleet.get(element.row);
      if (!row || element.hidden) continue;
      const place = element.parts.trend;
      if (!place.clientWidth) continue;
      element.chart ??= new Spark(place, place.clientWidth, place.clientHeight);
      element.chart.show(row.spark ?? []);
      place.dataset.old = false;
    }
  }

  redraw() {
    for (const element of this.pool) element.chart?.redraw();
  }

  #click(event) {
    const element = event.target.closest("[role=row]");
    if (!element || element.at < 0) return;
    this.active = element.at;
    this.soon();
    this.chosen(this.order[element.at]);
  }

  #key(event) {
    if (event.target !== this.grid || event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor((this.grid.clientHeight - this.height) / this.height));
    const steps = {ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity};
    if (event.key === "Enter" || event.key === " ") {
      if (this.order.length) this.chosen(this.order[this.active]);
    } else if (event.key in steps) {
      this.active = Math.max(0, Math.min(this.order.length - 1, this.active + steps[event.key]));
      this.#reveal();
      this.onmove?.(this.order[this.active]);
    } else {
      return;
    }
    event.preventDefault();
  }

  /** Bring the active row into sight. */
  #reveal() {
    const head = this.grid.querySelector(".head").offsetHeight;
    const top = this.active * this.height;
    const bottom = top + this.height + head - this.grid.clientHeight;
    if (top < this.grid.scrollTop) this.grid.scrollTop = top;
    else if (bottom > this.grid.scrollTop) this.grid.scrollTop = bottom;
    this.soon();
  }
}

/** Change a part's text only if it is another. */
function set(element, part, text) {
  if (element.texts[part] !== text) {
    element.texts[part] = text;
    element.parts[part].textContent = text;
  }
}

const compare = (a, b) => a < b ? -1 : a > b ? 1 : 0;

/** What a filter looks through. */
function words(row) {
  return `${row.id} ${row.state} ${row.why} ${row.v ?? ""} ${row.via ?? ""} ${row.format ?? ""} ${row.boot ?? ""}`.toLowerCase();
}
