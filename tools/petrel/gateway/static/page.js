// Puts the page together: what the link hears goes into the fleet, and from there to its parts.

import {Spark, ready} from "./charts.js";
import {Drawer} from "./drawer.js";
import {Link} from "./link.js";
import {Strip} from "./strip.js";
import {Table} from "./table.js";

const SPARK = 40;  // points of a row's trend
const REORDER_MS = 1000;  // rows that change places more often can't be read
const place = (id) => document.getElementById(id);

await ready;
const fleet = new Map();  // id -> row
const table = new Table(place("grid"), fleet, (id) => { location.hash = encodeURIComponent(id); });
const strip = new Strip((text, state) => table.find(text, state), Spark);
const drawer = new Drawer(place("drawer"), () => { history.replaceState(null, "", location.pathname); follow(); });
let versions = 0;
let heard = false;
let ordered = 0;

const link = new Link(hear, (state, tryAgainMs) => {
  document.body.dataset.link = state;
  place("link").textContent = state === "live" ? "live"
    : `Connection to the gateway lost – shown is what was known; trying again in ${Math.ceil(tryAgainMs / 1000)} s`;
});

function hear(message) {
  table.skew = message.now - Date.now();
  if (message.kind === "snapshot") {
    heard = true;
    const known = new Set(message.devices.map((row) => row.id));
    for (const id of fleet.keys()) if (!known.has(id)) fleet.delete(id);
    for (const row of message.devices) enter({...row, spark: message.sparks[row.id] ?? []});
    table.reorder();
    drawer.row(fleet.get(drawer.id));
  } else if (message.kind === "delta") {
    for (const row of message.devices) update(row);
    for (const id of message.gone ?? []) fleet.delete(id);
    if (message.gone) table.stale = true;
    if (performance.now() - ordered > REORDER_MS) {
      ordered = performance.now();
      table.stale = true;
    }
    table.soon();
  } else if (message.kind === "device") {
    drawer.detail(message.device, message.now);
  } else if (message.kind === "messages") {
    drawer.messages(message);
  }
  if (message.figures) strip.show(message.figures);
}

function enter(row) {
  row.version = ++versions;
  fleet.set(row.id, row);
}

function update(row) {
  const before = fleet.get(row.id);
  const spark = before?.spark ?? [];
  if (row.reading && row.at !== before?.at) spark.push(Object.values(row.reading)[0] ?? null);
  if (spark.length > SPARK) spark.shift();
  if (!before) table.stale = true;
  enter({...row, spark});
  if (row.id === drawer.id) drawer.row(row);
}

table.onorder = (count) => {
  place("empty").hidden = count > 0 || !heard;
  place("empty").textContent = fleet.size
    ? "No device is like that." : "No device has been heard yet. They appear here by themselves.";
};

/** The address says which device is open, so that it can be sent to somebody. */
function follow() {
  let id = null;
  try { id = decodeURIComponent(location.hash.slice(1)) || null; } catch { /* no address of ours */ }
  link.watch(id);
  if (id) drawer.open(id, fleet.get(id));
  else if (drawer.id) { drawer.hide(); place("grid").focus(); }
}

addEventListener("hashchange", follow);
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && drawer.id) drawer.close();
  if (event.key === "/" && !/INPUT|SELECT/.test(document.activeElement.tagName)) {
    event.preventDefault();
    place("find").focus();
  }
});
place("find").addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown") { event.preventDefault(); place("grid").focus(); }
});
place("sort").addEventListener("change", (event) => table.sortBy(event.target.value));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const each of [table, strip, drawer]) each.redraw();
});
setInterval(() => table.tick(), 1000);
follow();
