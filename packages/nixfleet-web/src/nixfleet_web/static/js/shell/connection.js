/**
 * The live connection: one WebSocket at a time, reconnected with full jitter, asking for each followed log from the
 * first record not yet seen. Socket, timers, chance and clock are given, so that tests decide them.
 */
import { delay } from "../core/backoff.js";
import * as cursors from "../core/cursor.js";
import * as defaults from "../core/defaults.js";

const SILENCE_PROBE = 45_000; // silent this long: see whether the server is there at all
const PROBE_TIMEOUT = 8000;

/**
 * @typedef {object} Effects
 * @property {() => WebSocket} open
 * @property {(callback: () => void, delay: number) => any} later
 * @property {(timer: any) => void} cancel
 * @property {() => number} random
 * @property {() => number} now
 * @property {(timeout: number) => Promise<boolean>} alive
 *
 * @typedef {object} Listener
 * @property {(messages: import("../core/types.js").Message[]) => void} onMessages all but log records
 * @property {(runId: string, records: import("../core/types.js").LogRecord[]) => void} onRecords in order, each once
 * @property {(status: Status) => void} onStatus
 *
 * @typedef {{state: "connecting"|"live"} | {state: "lost", since: number, retryAt: number}} Status
 */

export class Connection {
  /** @type {WebSocket|null} */ #socket = null;
  /** @type {Map<string, cursors.Cursor>} */ #followed = new Map();
  /** @type {Status} */ #status = { state: "connecting" };
  #attempt = 0;
  #heard = 0;
  /** @type {number|null} */ #lostSince = null;
  /** @type {any} */ #timer = null;
  #probing = false;

  /** @param {Effects} effects @param {Listener} listener */
  constructor(effects, listener) {
    this.effects = effects;
    this.listener = listener;
  }

  /** Connect now, whatever the timer says. */
  connect() {
    this.#drop();
    const socket = this.effects.open();
    this.#socket = socket;
    this.#heard = this.effects.now();
    socket.onopen = () => this.#onOpen(socket);
    socket.onmessage = (event) => this.#onFrame(socket, event.data);
    socket.onclose = () => this.#onLost(socket);
  }

  /** No more, not even reconnecting. */
  close() {
    this.#drop();
  }

  /** Follow a run's log from a record on; `onRecords` gets it. @param {string} runId @param {number} [from] */
  follow(runId, from = 1) {
    if (this.#followed.has(runId)) return;
    this.#followed.set(runId, cursors.follow(runId, from));
    this.#ask(runId);
  }

  /** @param {string} runId */
  unfollow(runId) {
    if (!this.#followed.delete(runId)) return;
    this.#send({ type: "unsubscribe", payload: { run_id: runId } });
  }

  /** Call now and then, and when the page wakes up: a cut line is silent, so silence is asked about. */
  async check() {
    const silent = this.effects.now() - this.#heard > SILENCE_PROBE;
    if (!silent || this.#probing || this.#status.state !== "live") return;
    const socket = this.#socket;
    this.#probing = true;
    const alive = await this.effects.alive(PROBE_TIMEOUT);
    this.#probing = false;
    if (socket !== this.#socket) return;
    if (alive) this.#heard = this.effects.now();
    else this.connect();
  }

  #drop() {
    this.effects.cancel(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    }
  }

  /** @param {WebSocket} socket */
  #onOpen(socket) {
    if (socket !== this.#socket) return;
    for (const [runId, cursor] of this.#followed) {
      this.#followed.set(runId, cursors.onConnect(cursor));
      if (!cursors.isDone(cursor)) this.#ask(runId);
    }
  }

  /** @param {WebSocket} socket */
  #onLost(socket) {
    if (socket !== this.#socket) return;
    this.#socket = null;
    const now = this.effects.now();
    const wait = delay(this.#attempt, this.effects.random);
    this.#attempt += 1;
    this.#lostSince ??= now;
    this.#timer = this.effects.later(() => this.connect(), wait);
    this.#setStatus({ state: "lost", since: this.#lostSince, retryAt: now + wait });
  }

  /** @param {WebSocket} socket @param {string} text one message or a JSON array of them */
  #onFrame(socket, text) {
    if (socket !== this.#socket) return;
    this.#heard = this.effects.now();
    const frame = JSON.parse(text);
    const others = [];
    /** @type {Map<string, import("../core/types.js").LogRecord[]>} */
    const records = new Map();
    for (const message of Array.isArray(frame) ? frame : [frame]) {
      if (message.type === "command_output") this.#onRecord(message.payload, records);
      else others.push(message);
      if (message.type === "snapshot") this.#onSnapshot();
      if (message.type === "run_update") this.#onRun(message.payload);
    }
    // Records go first: a run's end in the same frame is then told when its last line is on screen.
    for (const [runId, some] of records) this.listener.onRecords(runId, some);
    if (others.length) this.listener.onMessages(others);
  }

  #onSnapshot() {
    this.#attempt = 0; // only a connection that works counts as one
    this.#lostSince = null;
    this.#setStatus({ state: "live" });
  }

  /** @param {any} payload @param {Map<string, import("../core/types.js").LogRecord[]>} records */
  #onRecord(payload, records) {
    const cursor = this.#followed.get(payload.run_id);
    if (!cursor) return; // was on its way when we unsubscribed
    const next = cursors.onRecord(cursor, payload.seq);
    this.#followed.set(payload.run_id, next.cursor);
    if (next.verdict === "ask") this.#ask(payload.run_id);
    if (next.verdict !== "take") return;
    const some = records.get(payload.run_id) ?? [];
    some.push(defaults.record(payload));
    records.set(payload.run_id, some);
  }

  /** @param {any} payload */
  #onRun(payload) {
    const cursor = this.#followed.get(payload.run_id);
    if (cursor) this.#followed.set(payload.run_id, cursors.onRun(cursor, defaults.run(payload)));
  }

  /** @param {string} runId */
  #ask(runId) {
    if (this.#socket?.readyState !== 1) return; // asked when it opens
    const { cursor, message } = cursors.ask(/** @type {cursors.Cursor} */ (this.#followed.get(runId)));
    this.#followed.set(runId, cursor);
    this.#send(message);
  }

  /** @param {import("../core/types.js").Message} message */
  #send(message) {
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify(message));
  }

  /** @param {Status} status */
  #setStatus(status) {
    this.#status = status;
    this.listener.onStatus(status);
  }
}
