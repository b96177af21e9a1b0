/** Follows the commands on many hosts that were begun in this tab, over reloads too, until each is put away. */

import { astir, bulkEnd, bulkView, heard, standings, stopQuestion, taken } from "../core/bulk-view.js";
import { Refused } from "../shell/api.js";
import { recall, remember } from "../shell/preferences.js";
import { BulkPanels } from "../view/bulk-panels.js";
import { byId } from "../view/dom.js";

/** @typedef {import("../core/bulk-view.js").Bulk} Bulk */

// Milliseconds.
const PAUSE = 250; // many runs that end at once are one question
const LOOK_AGAIN = 3000; // where nothing is under way, of which one would hear
const KEPT = "bulks"; // their ids, of this tab
const GONE = new Set(["too_old", "no_such_bulk"]);

/** Rung now and then, waited for by one. */
class Bell {
  #rung = false;
  #wake = () => {};

  ring() {
    this.#rung = true;
    this.#wake();
  }

  /** @param {number} most milliseconds; 0: until it rings */
  async next(most) {
    const rung = new Promise((resolve) => {
      this.#wake = () => resolve(null);
      if (most) setTimeout(resolve, most);
    });
    if (!this.#rung) await rung;
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
    this.#rung = false;
  }
}

export class BulkFollow {
  #panels = new BulkPanels();
  /** @type {Map<string, {bulk: Bulk|null, bell: Bell}>} `bulk`: null until the server has told of it */ #followed = new Map();

  /** @param {import("../app.js").App} app */
  constructor(app) {
    this.app = app;
    app.onFleet((fleet, before) => fleet.runs !== before.runs && this.#hear());
    app.onStatus(() => {
      if (app.live) for (const { bell } of this.#followed.values()) bell.ring(); // what was missed nobody tells
    });
    for (const id of recall(KEPT, "", true).split(" ").filter(Boolean)) void this.follow(id);
  }

  /** Shows it, once the server has told of it; never where the server is too old to. @param {string} id */
  async follow(id) {
    this.#followed.set(id, { bulk: null, bell: new Bell() });
    this.#keep();
    await this.#ask(id);
    void this.#watch(id);
  }

  /** @param {string} id @returns {boolean} whether it is there to take the focus */
  focus(id) {
    return this.#panels.focus(id);
  }

  /** @param {string} id */
  async #watch(id) {
    for (;;) {
      const one = this.#followed.get(id);
      if (!one || one.bulk?.state === "ended") return;
      await one.bell.next(one.bulk && astir(one.bulk) ? 0 : LOOK_AGAIN);
      await this.#ask(id);
    }
  }

  #hear() {
    for (const { bulk, bell } of this.#followed.values()) {
      const now = bulk && heard(bulk, this.app.fleet.runs);
      if (!now || now === bulk) continue;
      this.#show(now);
      if (standings(now) !== standings(bulk)) bell.ring(); // with a run's end others begin, or are left out
    }
  }

  /** @param {string} id */
  async #ask(id) {
    try {
      const bulk = taken(await this.app.api.get(`/bulk/${encodeURIComponent(id)}`), this.app.fleet.runs);
      this.#show(bulk);
      if (bulk.state === "ended") byId("outcome", HTMLParagraphElement).textContent = bulkEnd(bulk);
    } catch (problem) {
      if (!(problem instanceof Refused) || problem.status === 401) this.app.fail(problem);
      if (!(problem instanceof Refused) || GONE.has(problem.code)) this.#forget(id);
    }
  }

  /** @param {Bulk} bulk */
  #show(bulk) {
    const id = bulk.bulk_id;
    const one = this.#followed.get(id);
    if (!one) return;
    one.bulk = bulk;
    this.#panels.draw(id, bulkView(bulk), {
      stop: () => void this.#stop(id),
      putAway: () => {
        this.#forget(id);
        byId("page-title", HTMLHeadingElement).focus({ preventScroll: true }); // the button went with its panel
      },
    });
  }

  /** @param {string} id */
  async #stop(id) {
    const bulk = this.#followed.get(id)?.bulk;
    if (!bulk || !(await this.app.ask(stopQuestion(bulk)))) return;
    try {
      await this.app.api.send("POST", `/bulk/${encodeURIComponent(id)}/stop`);
      this.#followed.get(id)?.bell.ring();
    } catch (problem) {
      this.app.fail(problem);
    }
  }

  #keep() {
    remember(KEPT, [...this.#followed.keys()].join(" "), true);
  }

  /** @param {string} id */
  #forget(id) {
    this.#followed.delete(id);
    this.#keep();
    this.#panels.remove(id);
  }
}
