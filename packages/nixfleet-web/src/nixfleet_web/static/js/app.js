/** The page's middle: holds what is known, tells those who show it, and does what the operator asks. */

import { Refused } from "./shell/api.js";
import { question } from "./core/actions.js";
import { findRun, initial, reduce } from "./core/store.js";
import { commandName } from "./core/words.js";
import { runPath } from "./shell/route.js";
import { byId } from "./view/dom.js";

/**
 * @typedef {import("./core/types.js").Fleet} Fleet
 * @typedef {(now: Fleet, before: Fleet) => void} FleetListener
 * @typedef {(question: {title: string, text: string, confirm: string, danger: boolean}) => Promise<boolean>} Ask
 * @typedef {(toast: {level: string, title: string, detail?: string}) => void} Tell
 */

const MANY = 200; // hosts
const WAIT = 300; // seconds more for a run that takes long
const DECIDED = { wait: "It has 5 minutes more", stop: "It is being stopped", ignore: "It may take as long as it takes" };

export class App {
  /** @type {Fleet} */ fleet = initial();
  /** @type {import("./shell/connection.js").Status} */ status = { state: "connecting" };
  /** @type {Set<FleetListener>} */ #fleetListeners = new Set();
  /** @type {Set<() => void>} */ #statusListeners = new Set();
  /** @type {Fleet} */ #told = this.fleet;
  #telling = false;
  #leaving = false;
  /** @type {Ask} */ ask = async () => false;
  /** @type {Tell} */ tell = () => {};
  /** @type {(group: string) => void} shows only the hosts of a group */ narrow = () => {};

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
    for (const message of messages) {
      this.fleet = reduce(this.fleet, message, Date.now());
      if (message.type === "notice") this.tell({ level: message.payload.level, title: message.payload.text });
    }
    if (this.fleet === this.#told || this.#telling) return;
    this.#telling = true;
    // Once a frame is often enough to be drawn, and a few times a second where there are many hosts. In a hidden tab frames
    // don't come, there a timer does.
    if (document.hidden || this.fleet.hosts.size > MANY) setTimeout(() => this.#tellFleet(), 200);
    else requestAnimationFrame(() => this.#tellFleet());
  }

  /** What is shown is to be worked out anew though nothing was heard. */
  redraw() {
    for (const listener of this.#fleetListeners) listener(this.fleet, this.fleet);
  }

  #tellFleet() {
    this.#telling = false;
    const before = this.#told;
    this.#told = this.fleet;
    for (const listener of this.#fleetListeners) listener(this.fleet, before);
  }

  /** @param {import("./shell/connection.js").Status} status */
  setStatus(status) {
    this.status = status;
    for (const listener of this.#statusListeners) listener();
  }

  /**
   * An action was asked for, by a button, a key or the finder: ask where it can hurt, do it, show its run.
   * @param {import("./core/types.js").Host} host
   * @param {import("./core/actions.js").Action} action
   * @param {HTMLElement|null} [button] shows that it is under way
   * @param {{generation?: number}} [options]
   */
  async act(host, action, button = null, options = {}) {
    if (button?.getAttribute("aria-busy") === "true") return;
    const asked = question(action, host, options.generation);
    if (asked && !(await this.ask(asked))) return;
    button?.setAttribute("aria-busy", "true");
    try {
      if (action.command === "stop" && host.run_id) await this.#stop(host.run_id);
      else await this.#start(host.host_id, action.command, options);
    } catch (problem) {
      this.fail(problem);
    } finally {
      button?.removeAttribute("aria-busy");
    }
  }

  /** @param {string} runId */
  async #stop(runId) {
    const stop = await this.api.stop(runId);
    if (stop.state === "sent" && stop.message) this.tell({ level: "info", title: stop.message });
  }

  /** About a run that takes long. @param {string} runId @param {"wait"|"stop"|"ignore"} action */
  async decide(runId, action) {
    try {
      const run = await this.api.send("POST", `/runs/${encodeURIComponent(runId)}/timeout`, action === "wait" ? { action, seconds: WAIT } : { action });
      this.tell({ level: "info", title: (action === "stop" && run.message) || DECIDED[action] });
    } catch (problem) {
      this.fail(problem);
    }
  }

  /** @param {unknown} problem anything thrown */
  fail(problem) {
    if (problem instanceof Refused && problem.status === 401) this.#toLogin(location.hash);
    else if (problem instanceof Refused) this.tell({ level: "error", title: problem.title, detail: problem.detail });
    else {
      this.tell({ level: "error", title: "Something went wrong in this page", detail: String(problem) });
      console.error(problem);
    }
  }

  async logout() {
    try {
      await this.api.logout();
      this.#toLogin();
    } catch (problem) {
      this.fail(problem);
    }
  }

  /** Once: a second way there, as when the connection ends with the session, would break off the first. @param {string} [hash] where to go afterwards */
  #toLogin(hash = "") {
    if (this.#leaving) return;
    this.#leaving = true;
    addEventListener("pageshow", () => (this.#leaving = false), { once: true }); // the browser's Back may bring the page as it was
    location.assign(`/login${hash}`);
  }

  close() {
    this.router.close();
  }

  /** @param {string} hostId @param {string} command @param {object} options */
  async #start(hostId, command, options) {
    const run = await this.api.start(hostId, command, options);
    if (command === "restart") return this.tell({ level: "info", title: `${hostId} is asked to restart its agent` });
    this.router.go(runPath(run.run_id));
    // For a screen reader, which doesn't see the run's pane come; its end may have been said by now.
    if (findRun(this.fleet, run.run_id)?.state !== "ended") byId("outcome", HTMLParagraphElement).textContent = `${commandName(command)} on ${hostId} started`;
  }
}
