/** Which hosts are selected, as a set that tells when it changes; with shift, all from the last one to this. */

import { plural } from "./format.js";

export class Selection {
  /** @type {Set<string>} */ #chosen = new Set();
  #last = "";
  /** @type {(() => void)[]} */ #listeners = [];

  /** @param {() => void} listener */
  listen(listener) {
    this.#listeners.push(listener);
  }

  get size() {
    return this.#chosen.size;
  }

  /** @param {string} id */
  has(id) {
    return this.#chosen.has(id);
  }

  /** In the order in which they are shown, those out of sight last. @param {readonly string[]} order */
  inOrder(order) {
    const shown = order.filter((id) => this.#chosen.has(id));
    const seen = new Set(shown);
    return [...shown, ...[...this.#chosen].filter((id) => !seen.has(id))];
  }

  /** How many, and how many of them out of sight: they get the command too. @param {readonly string[]} order as shown */
  words(order) {
    const hidden = this.#chosen.size - order.filter((id) => this.#chosen.has(id)).length;
    return `${plural(this.#chosen.size, "host")} selected${hidden ? `, ${hidden} hidden by the filter` : ""}`;
  }

  /** @param {string} id @param {boolean} range with all between it and the last one @param {readonly string[]} order as shown */
  toggle(id, range, order) {
    const on = !this.#chosen.has(id);
    const from = order.indexOf(this.#last);
    const to = order.indexOf(id);
    const ids = range && from >= 0 && to >= 0 ? order.slice(Math.min(from, to), Math.max(from, to) + 1) : [id];
    for (const one of ids) {
      if (on) this.#chosen.add(one);
      else this.#chosen.delete(one);
    }
    this.#last = id;
    this.#tell();
  }

  /** @param {Iterable<string>} ids */
  set(ids) {
    this.#chosen = new Set(ids);
    this.#tell();
  }

  /** Hosts that are gone are selected no more. @param {(id: string) => boolean} there */
  keep(there) {
    const before = this.#chosen.size;
    for (const id of this.#chosen) if (!there(id)) this.#chosen.delete(id);
    if (this.#chosen.size !== before) this.#tell();
  }

  #tell() {
    for (const listener of this.#listeners) listener();
  }
}
