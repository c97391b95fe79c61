// One user's live events over a WebSocket that comes back by itself.
//
// Emits: "event" (detail: a frame), "resync" (what was missed is not kept; read the
// state again) and "state" (detail: whether the socket is open).

const SHORTEST_WAIT = 500;
const LONGEST_WAIT = 15_000;
const PING_EVERY = 20_000;
// An answer to a ping that takes longer is none: the network went without a word.
const PONG_WITHIN = 5_000;
const SIGNED_OUT = 4401;

export class EventStream extends EventTarget {
  #socket = null;
  #since = null;
  #wait = SHORTEST_WAIT;
  #timer = null;
  #pings = null;
  #doubt = null;
  #isLeaving = false;
  isOpen = false;

  constructor() {
    super();
    // Whoever signs out is told so by the socket before the next page is there.
    addEventListener("submit", (event) => {
      this.#isLeaving ||= !event.defaultPrevented;
    });
    // With a socket no page is kept for the way back; who comes back calls `hurry`.
    addEventListener("pagehide", () => this.#rest());
  }

  open() {
    clearTimeout(this.#timer);
    const url = new URL("/ws/v1/events", location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    if (this.#since !== null) url.searchParams.set("since", this.#since);
    const socket = new WebSocket(url);
    socket.onmessage = ({ data }) => this.#take(JSON.parse(data));
    socket.onclose = ({ code }) => this.#closed(socket, code);
    this.#socket = socket;
  }

  // Called when the network is back: no need to sit the wait out, and what looks open
  // may be long gone.
  hurry() {
    if (this.isOpen) {
      this.#ping();
      return;
    }
    if (this.#socket?.readyState === WebSocket.CONNECTING) return;
    this.#wait = SHORTEST_WAIT;
    this.open();
  }

  #take(frame) {
    clearTimeout(this.#doubt);
    if (frame.type === "pong") return;
    if (frame.type === "hello") {
      this.#since ??= frame.seq;
      this.#opened();
      return;
    }
    this.#since = Math.max(this.#since ?? 0, frame.seq);
    const kind = frame.type === "resync" ? "resync" : "event";
    this.dispatchEvent(new CustomEvent(kind, { detail: frame }));
  }

  #opened() {
    this.#wait = SHORTEST_WAIT;
    clearInterval(this.#pings);
    this.#pings = setInterval(() => this.#ping(), PING_EVERY);
    this.#tell(true);
  }

  #ping() {
    const socket = this.#socket;
    if (socket.readyState !== WebSocket.OPEN) return;
    socket.send('{"type":"ping"}');
    clearTimeout(this.#doubt);
    this.#doubt = setTimeout(() => this.#giveUp(socket), PONG_WITHIN);
  }

  #rest() {
    clearTimeout(this.#timer);
    clearTimeout(this.#doubt);
    clearInterval(this.#pings);
    const socket = this.#socket;
    if (!socket) return;
    this.#socket = null;
    this.#isLeaving = false;
    socket.onmessage = socket.onclose = null;
    socket.close();
    this.isOpen = false;
  }

  // Closing a dead socket takes its time: it is left behind instead.
  #giveUp(socket) {
    if (socket !== this.#socket) return;
    socket.onmessage = socket.onclose = null;
    socket.close();
    this.#closed(socket);
  }

  #closed(socket, code) {
    if (socket !== this.#socket) return;
    clearInterval(this.#pings);
    clearTimeout(this.#doubt);
    this.#tell(false);
    if (code === SIGNED_OUT) {
      if (!this.#isLeaving) location.reload();
      return;
    }
    this.#timer = setTimeout(() => this.open(), this.#wait * (0.75 + Math.random() / 2));
    this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT);
  }

  #tell(isOpen) {
    this.isOpen = isOpen;
    this.dispatchEvent(new CustomEvent("state", { detail: isOpen }));
  }
}
