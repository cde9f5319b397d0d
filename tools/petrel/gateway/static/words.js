// Numbers and times as people read them. Every time is in milliseconds.

export const STATES = {  // state -> its sign, so that colour never stands alone
  "online": "●", "sleeping": "☾", "stale": "◌", "lost": "✕", "stopped": "■", "never seen": "○",
};
// What needs a person comes first.
export const SEVERITY = ["lost", "stale", "never seen", "stopped", "sleeping", "online"];

const UNITS = [["d", 86_400_000], ["h", 3_600_000], ["min", 60_000], ["s", 1000]];

/** 75_000 -> "1 min 15 s"; two units at the most. */
export function duration(ms) {
  if (!(ms >= 1000)) return "0 s";
  const at = UNITS.findIndex(([, size]) => ms >= size);
  const [unit, size] = UNITS[at];
  const whole = Math.floor(ms / size);
  const next = UNITS[at + 1];
  const rest = next && whole < 10 ? Math.floor((ms % size) / next[1]) : 0;
  return `${whole} ${unit}` + (rest ? ` ${rest} ${next[0]}` : "");
}

/** 75_000 -> "1 min"; one unit. */
export function about(ms) {
  if (!(ms >= 1000)) return "0 s";
  const [unit, size] = UNITS.find(([, each]) => ms >= each);
  return `${Math.floor(ms / size)} ${unit}`;
}

export function bytes(count) {
  if (count < 1000) return `${count} B`;
  for (const unit of ["kB", "MB", "GB"]) {
    count /= 1000;
    if (count < 999.5) return `${count.toFixed(count < 10 ? 1 : 0)} ${unit}`;
  }
  return `${(count / 1000).toFixed(1)} TB`;
}

const GROUPED = new Intl.NumberFormat("en");
export const grouped = (number) => GROUPED.format(number);

/** A reading's value: all its digits, as long as they are few. */
export function value(number) {
  if (number === null || number === undefined) return "–";
  const text = String(number);
  return text.length <= 9 ? text : String(Number(number.toPrecision(6)));
}

const CLOCK = new Intl.DateTimeFormat("en-GB", {timeStyle: "medium"});
const DATE = new Intl.DateTimeFormat("en-GB", {dateStyle: "medium", timeStyle: "medium"});
export const clock = (ms) => CLOCK.format(ms);
export const moment = (ms) => Date.now() - ms < 43_200_000 ? CLOCK.format(ms) : DATE.format(ms);

/** dBm as bars of four; the number is beside them. */
export function bars(rssi) {
  return rssi >= -55 ? 4 : rssi >= -67 ? 3 : rssi >= -75 ? 2 : 1;
}

/** What follows the state's word: how long, or when. */
export function stateNote(row, now) {
  if (row.state === "sleeping" && row.due) {
    const left = row.due - now;
    return left > 0 ? `due in ${about(left)}` : `due ${about(-left)} ago`;
  }
  if (row.state === "stale" && row.heard) return `silent for ${about(now - row.heard)}`;
  if (row.state === "online" || row.state === "never seen") return row.why;
  return `for ${about(now - row.since)}`;
}
