/** The list of hosts: rows made, moved and taken away as the fleet says. Rows out of sight cost next to nothing. */

import { arrange, SORTS } from "../core/arrange.js";
import { byId } from "./dom.js";
import { HostRow } from "./host-row.js";

const MARGIN = "400px 0px"; // drawn this far beyond the view, so that scrolling never meets an empty row
const FIRST = 12; // rows that are drawn at once; the rest of the screen a frame later, so that neither takes long
const SORT_AGAIN = 5000; // milliseconds: a list that is sorted by load is still one to read

export class HostList {
  /** @type {Map<string, HostRow>} */ #rows = new Map();
  /** @type {WeakMap<Element, HostRow>} */ #byElement = new WeakMap();
  /** @type {Set<HostRow>} */ #near = new Set();
  #box = byId("hosts", HTMLDivElement);
  #list = byId("host-list", HTMLUListElement);
  #empty = byId("no-hosts", HTMLDivElement);
  #wanted = { text: "", group: "", sort: "criticality" };
  /** @type {string[]} */ #order = [];
  #sortedAt = 0;
  #observer = new IntersectionObserver((entries) => this.#onSeen(entries), { root: byId("main", HTMLElement), rootMargin: MARGIN });

  /** @param {import("./host-buttons.js").Hands} hands @param {import("../core/selection.js").Selection} selection */
  constructor(hands, selection) {
    this.hands = hands;
    this.selection = selection;
  }

  /** Names of the hosts that are shown, in order. */
  get order() {
    return this.#order;
  }

  /** Narrow or sort. @param {Partial<{text: string, group: string, sort: string}>} wanted */
  want(wanted) {
    this.#wanted = { ...this.#wanted, ...wanted };
    this.#sortedAt = 0;
  }

  /** @param {import("../core/types.js").Fleet} fleet @param {boolean} live @param {number} now by the server's clock */
  update(fleet, live, now) {
    this.#box.hidden = !fleet.synced;
    this.#empty.hidden = fleet.hosts.size > 0;
    for (const [hostId, row] of this.#rows) if (!fleet.hosts.has(hostId)) this.#drop(hostId, row);
    this.#arrange(fleet);
    for (const hostId of this.#order) {
      const host = fleet.hosts.get(hostId);
      if (host) this.#rows.get(hostId)?.update({ host, live, selected: this.selection.has(hostId) }, now);
    }
  }

  /** @param {number} now by the server's clock */
  tick(now) {
    for (const row of this.#near) row.tick(now);
  }

  /** @param {string|null} hostId the host whose run is shown */
  mark(hostId) {
    for (const [id, row] of this.#rows) row.mark(id === hostId);
  }

  /** Moves the focus by so many rows. @param {number} step */
  step(step) {
    const at = this.#order.indexOf(this.focused ?? "");
    const next = at < 0 ? 0 : Math.max(0, Math.min(this.#order.length - 1, at + step));
    this.#rows.get(this.#order[next])?.link.focus();
  }

  /** The host whose row has the focus. @returns {string|null} */
  get focused() {
    return document.activeElement?.closest("[data-host]")?.getAttribute("data-host") ?? null;
  }

  /** @param {import("../core/types.js").Fleet} fleet */
  #arrange(fleet) {
    const moves = SORTS[this.#wanted.sort]?.moves;
    if (moves && Date.now() - this.#sortedAt < SORT_AGAIN && fleet.hosts.size === this.#rows.size) return;
    this.#sortedAt = Date.now();
    const order = arrange(fleet.hosts.values(), this.#wanted);
    this.#keepFocused(fleet, order);
    if (order.length === this.#order.length && order.every((id, at) => id === this.#order[at])) return;
    const first = this.#order.length === 0;
    this.#order = order;
    this.#place();
    // The observer only tells after the first picture; what it would tell then is known.
    if (first) for (const hostId of order.slice(0, FIRST)) this.#rows.get(hostId)?.show(true);
  }

  /** A row that has the focus stays, whatever the filter says of it now. @param {import("../core/types.js").Fleet} fleet @param {string[]} order */
  #keepFocused(fleet, order) {
    const focused = this.focused;
    if (!focused || !fleet.hosts.has(focused) || order.includes(focused)) return;
    const at = this.#order.indexOf(focused);
    if (at >= 0) order.splice(Math.min(at, order.length), 0, focused);
  }

  #place() {
    const active = document.activeElement;
    const shown = new Set(this.#order);
    for (const [hostId, row] of this.#rows) if (!shown.has(hostId)) row.element.remove();
    let at = this.#list.firstElementChild;
    for (const hostId of this.#order) {
      const { element } = this.#rows.get(hostId) ?? this.#add(hostId);
      if (element === at) at = at.nextElementSibling;
      else this.#list.insertBefore(element, at);
    }
    // A row that moved lost its focus on the way.
    if (active instanceof HTMLElement && active.isConnected && active !== document.activeElement) active.focus({ preventScroll: true });
  }

  /** @param {string} hostId */
  #add(hostId) {
    const row = new HostRow(hostId, this.hands);
    this.#rows.set(hostId, row);
    this.#byElement.set(row.element, row);
    this.#observer.observe(row.element);
    return row;
  }

  /** @param {string} hostId @param {HostRow} row */
  #drop(hostId, row) {
    this.#observer.unobserve(row.element);
    row.element.remove();
    this.#near.delete(row);
    this.#rows.delete(hostId);
  }

  /** @param {IntersectionObserverEntry[]} entries */
  #onSeen(entries) {
    for (const entry of entries) {
      const row = this.#byElement.get(entry.target);
      if (!row) continue;
      if (entry.isIntersecting) this.#near.add(row);
      else this.#near.delete(row);
      row.show(entry.isIntersecting);
    }
  }
}
