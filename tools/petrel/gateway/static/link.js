// The WebSocket to the gateway: opened, and opened again whenever it is lost.

const SILENT_MS = 5000;  // the gateway says something every second
const LONGEST_MS = 5000;

export class Link {
  /** heard(message): every message. changed(state, tryAgainMs): "live", "lost" or "token". */
  constructor(heard, changed) {
    this.heard = heard;
    this.changed = changed;
    this.attempts = 0;
    this.watched = null;
    this.open();
    setInterval(() => this.#check(), 1000);
    addEventListener("online", () => this.#now());
    document.addEventListener("visibilitychange", () => document.hidden || this.#now());
  }

  open() {
    clearTimeout(this.timer);
    const socket = new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}/ws/fleet`);
    this.socket = socket;
    this.last = performance.now();
    socket.onmessage = (event) => {
      if (socket !== this.socket) return;
      this.last = performance.now();
      const message = JSON.parse(event.data);
      if (message.kind === "snapshot") {
        this.attempts = 0;
        this.changed("live");
        if (this.watched) this.watch(this.watched);
      }
      this.heard(message);
    };
    socket.onclose = () => socket === this.socket && this.#lost();
  }

  /** Ask for the details of one device; null for none. */
  watch(id) {
    this.watched = id;
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({watch: id}));
  }

  #lost() {
    this.socket = null;
    const delay = Math.min(LONGEST_MS, 500 * 2 ** this.attempts++) * (0.75 + Math.random() / 2);
    this.changed("lost", delay);
    this.timer = setTimeout(() => this.open(), delay);
  }

  #check() {
    if (this.socket && performance.now() - this.last > SILENT_MS) {
      const socket = this.socket;
      this.#lost();
      socket.close();
    }
  }

  #now() {
    if (!this.socket) this.open();
  }
}
