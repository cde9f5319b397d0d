// The figures of the whole fleet, and the buttons that choose a state.

import {SEVERITY, STATES, bytes, grouped} from "./words.js";

const place = (id) => document.getElementById(id);

export class Strip {
  /** chosen(text, state): what is to be shown. */
  constructor(chosen, Spark) {
    this.chosen = chosen;
    this.state = null;
    this.buttons = new Map();
    this.rates = new Spark(place("rates"), place("rates").clientWidth, place("rates").clientHeight);
    place("find").addEventListener("input", () => this.#choose());
    for (const state of [...SEVERITY].reverse()) this.#button(state);
  }

  #button(state) {
    const button = document.createElement("button");
    button.hidden = true;
    button.setAttribute("aria-pressed", false);
    button.addEventListener("click", () => {
      this.state = this.state === state ? null : state;
      for (const [each, other] of this.buttons) other.setAttribute("aria-pressed", each === this.state);
      this.#choose();
    });
    this.buttons.set(state, button);
    place("states").append(button);
  }

  #choose() {
    this.chosen(place("find").value, this.state);
  }

  show(figures) {
    put("devices", grouped(figures.devices));
    put("rate", figures.rate < 10 ? figures.rate.toFixed(1) : grouped(Math.round(figures.rate)));
    this.rates.show(figures.rates);
    for (const [state, button] of this.buttons) {
      const count = figures.states[state] ?? 0;
      button.hidden = !count && this.state !== state;
      button.textContent = `${STATES[state]} ${grouped(count)} ${state}`;
    }
    const {wire, json} = figures;
    put("saved", json ? `${Math.round(100 * (1 - wire / json))} %` : "–");
    put("saved-note", json ? `${bytes(wire)} came, as JSON ${bytes(json)}` : "");
    put("lost", grouped(figures.lost));
    place("lost-figure").dataset.bad = figures.lost > 0;
    put("lost-note", `of ${grouped(figures.received + figures.lost)}` +
      (figures.awaited ? `; ${grouped(figures.awaited)} awaited` : ""));
    this.#gateway(figures);
  }

  #gateway({mqtt, spool, sinks}) {
    const troubles = [];
    if (spool) troubles.push(`spool: ${spool}`);
    if (mqtt && mqtt !== "connected") troubles.push(`MQTT ${mqtt}`);
    place("gateway").dataset.bad = troubles.length > 0;
    put("gateway", troubles[0] ?? "takes messages");
    put("gateway-note", sinks.map(({name, behind}) =>
      `${name} ${behind > 50 ? `lacks ${grouped(behind)}` : "follows"}`).join(" · "));
  }

  redraw() {
    this.rates.redraw();
  }
}

function put(id, text) {
  if (place(id).textContent !== text) place(id).textContent = text;
}
