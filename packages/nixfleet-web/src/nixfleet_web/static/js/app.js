/** The page's middle: holds what is known, tells those who show it, and does what the operator asks. */

import { Refused } from "./shell/api.js";
import { findRun, initial, reduce } from "./core/store.js";
import { runPath } from "./shell/route.js";

/**
 * @typedef {import("./core/types.js").Fleet} Fleet
 * @typedef {(now: Fleet, before: Fleet) => void} FleetListener
 * @typedef {(question: {title: string, text: string, confirm: string, danger: boolean}) => Promise<boolean>} Ask
 * @typedef {(toast: {level: string, title: string, detail?: string}) => void} Tell
 */

export class App {
  /** @type {Fleet} */ fleet = initial();
  /** @type {import("./shell/connection.js").Status} */ status = { state: "connecting" };
  /** @type {Set<FleetListener>} */ #fleetListeners = new Set();
  /** @type {Set<() => void>} */ #statusListeners = new Set();
  /** @type {Ask} */ ask = async () => true;
  /** @type {Tell} */ tell = () => {};

  /** @param {import("./shell/api.js").Api} api @param {import("./shell/route.js").Router} router */
  constructor(api, router) {
    this.api = api;
    this.router = router;
  }

  get live() {
    return this.status.state === "live";
  }

  /** The server's clock, milliseconds. */
  now() {
    return Date.now() + this.fleet.clockOffset;
  }

  /** @param {FleetListener} listener called after every change */
  onFleet(listener) {
    this.#fleetListeners.add(listener);
  }

  /** @param {() => void} listener called when the connection comes or goes */
  onStatus(listener) {
    this.#statusListeners.add(listener);
  }

  /** @param {import("./core/types.js").Message[]} messages */
  receive(messages) {
    const before = this.fleet;
    for (const message of messages) {
      this.fleet = reduce(this.fleet, message, Date.now());
      if (message.type === "notice") this.tell({ level: message.payload.level, title: message.payload.text });
    }
    if (this.fleet === before) return;
    for (const listener of this.#fleetListeners) listener(this.fleet, before);
  }

  /** @param {import("./shell/connection.js").Status} status */
  setStatus(status) {
    this.status = status;
    for (const listener of this.#statusListeners) listener();
  }

  /** @param {string} runId */
  run(runId) {
    return findRun(this.fleet, runId);
  }

  /**
   * An action's button was pressed: ask where it can hurt, do it, show its run.
   * @param {import("./core/types.js").Host} host
   * @param {import("./core/actions.js").Action} action
   * @param {HTMLElement} button
   */
  async act(host, action, button) {
    if (button.getAttribute("aria-busy") === "true") return;
    const question = action.ask?.(host.host_id, host.pending_command ?? "");
    if (question && !(await this.ask({ ...question, danger: action.command === "stop" }))) return;
    button.setAttribute("aria-busy", "true");
    try {
      if (action.command === "stop" && host.run_id) await this.api.stop(host.run_id);
      else await this.#start(host.host_id, action.command);
    } catch (problem) {
      this.fail(problem);
    } finally {
      button.removeAttribute("aria-busy");
    }
  }

  /** @param {unknown} problem anything thrown */
  fail(problem) {
    if (problem instanceof Refused && problem.status === 401) location.assign(`/login${location.hash}`);
    else if (problem instanceof Refused) this.tell({ level: "error", title: problem.title, detail: problem.detail });
    else {
      this.tell({ level: "error", title: "Something went wrong in this page", detail: String(problem) });
      console.error(problem);
    }
  }

  async logout() {
    try {
      await this.api.logout();
      location.assign("/login");
    } catch (problem) {
      this.fail(problem);
    }
  }

  close() {
    this.router.close();
  }

  /** @param {string} hostId @param {string} command */
  async #start(hostId, command) {
    const run = await this.api.start(hostId, command);
    if (command === "restart") this.tell({ level: "info", title: `${hostId} is asked to restart its agent` });
    else this.router.go(runPath(run.run_id));
  }
}
