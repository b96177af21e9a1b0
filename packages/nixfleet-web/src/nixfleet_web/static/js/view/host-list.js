/** The list of hosts: rows made, moved and taken away as the fleet says. Rows out of sight cost next to nothing. */

import { arrange, SORTS } from "../core/arrange.js";
import { byId, make } from "./dom.js";
import { HostRow } from "./host-row.js";

const MARGIN = "400px 0px"; // drawn this far beyond the view, so that scrolling never meets an empty row
const MANY = 200; // hosts; with more, rows out of sight are names again
const BLOCK = 12; // rows that the browser passes over as one where they are out of sight; full in one to four columns of cards
const WATCHED = 2; // rows of which the first is watched: watching each of a thousand would take a third of a frame
const FIRST = 12; // rows that are drawn at once; the rest of the screen a frame later, so that neither takes long
const SLICE = 3; // rows that are made in one frame afterwards: a frame has 16 ms, and a row takes some of them
const SORT_AGAIN = 5000; // milliseconds: a list that is sorted by load is still one to read

export class HostList {
  /** @type {Map<string, HostRow>} */ #rows = new Map();
  /** @type {Set<Element>} those watched that are near the view */ #seen = new Set();
  /** @type {Set<HostRow>} */ #near = new Set();
  #box = byId("hosts", HTMLDivElement);
  #list = byId("host-list", HTMLDivElement);
  #empty = byId("no-hosts", HTMLDivElement);
  #wanted = { text: "", group: "", sort: "criticality" };
  /** @type {string[]} */ #order = [];
  #sortedAt = 0;
  /** @type {HostRow[]} to be made, a few each frame */ #coming = [];
  #making = false;
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
    this.#arrange(fleet, now);
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

  /** @param {import("../core/types.js").Fleet} fleet @param {number} now by the server's clock */
  #arrange(fleet, now) {
    const moves = SORTS[this.#wanted.sort]?.moves;
    if (moves && Date.now() - this.#sortedAt < SORT_AGAIN && fleet.hosts.size === this.#rows.size) return;
    this.#sortedAt = Date.now();
    const order = arrange(fleet.hosts.values(), this.#wanted, now);
    this.#keepFocused(fleet, order);
    if (order.length === this.#order.length && order.every((id, at) => id === this.#order[at])) return;
    const first = this.#order.length === 0;
    this.#order = order;
    this.#place();
    this.#watch();
    // The observer only tells after the first picture; what it would tell then is known.
    if (first) this.#show(new Set(order.slice(0, FIRST).map((hostId) => /** @type {HostRow} */ (this.#rows.get(hostId)))), FIRST);
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
    const blocks = this.#list.children;
    for (let at = 0; at < this.#order.length; at += BLOCK) {
      this.#fill(blocks[at / BLOCK] ?? this.#list.appendChild(make("div", "host-block")), this.#order.slice(at, at + BLOCK));
    }
    while (blocks.length * BLOCK >= this.#order.length + BLOCK) blocks[blocks.length - 1].remove(); // their rows are in others by now
    // A row that moved lost its focus on the way.
    if (active instanceof HTMLElement && active.isConnected && active !== document.activeElement) active.focus({ preventScroll: true });
  }

  /** What else is in it goes into a later one. @param {Element} block @param {string[]} hostIds */
  #fill(block, hostIds) {
    /** @type {HTMLElement} */ (block).style.setProperty("--rows", String(hostIds.length));
    let at = block.firstElementChild;
    for (const hostId of hostIds) {
      const { element } = this.#rows.get(hostId) ?? this.#add(hostId);
      if (element === at) at = at.nextElementSibling;
      else block.insertBefore(element, at);
    }
  }

  /** @param {string} hostId */
  #add(hostId) {
    const row = new HostRow(hostId, this.hands);
    this.#rows.set(hostId, row);
    return row;
  }

  /** @param {string} hostId @param {HostRow} row */
  #drop(hostId, row) {
    row.element.remove();
    this.#near.delete(row);
    this.#rows.delete(hostId);
  }

  #watch() {
    this.#observer.disconnect();
    this.#seen.clear();
    for (let at = 0; at < this.#order.length; at += WATCHED) this.#observer.observe(/** @type {HostRow} */ (this.#rows.get(this.#order[at])).element);
  }

  /** @param {IntersectionObserverEntry[]} entries */
  #onSeen(entries) {
    for (const entry of entries) {
      if (entry.isIntersecting) this.#seen.add(entry.target);
      else this.#seen.delete(entry.target);
    }
    /** @type {Set<HostRow>} */
    const near = new Set();
    const first = (/** @type {number} */ at) => this.#rows.get(this.#order[at])?.element;
    for (let at = 0; at < this.#order.length; at += WATCHED) {
      // Where the first of a few is past, the last may be seen while the first of the next few is.
      if (![first(at), first(at + WATCHED)].some((element) => element && this.#seen.has(element))) continue;
      for (const hostId of this.#order.slice(at, at + WATCHED)) {
        const row = this.#rows.get(hostId); // none where a host has just been removed
        if (row) near.add(row);
      }
    }
    this.#show(near);
  }

  /** @param {Set<HostRow>} near the rows to draw, and no others @param {number} [most] at once */
  #show(near, most = SLICE) {
    for (const row of this.#near) if (!near.has(row)) row.show(false, this.#rows.size > MANY);
    this.#near = near;
    this.#coming = [...near].filter((row) => !row.near);
    // After a jump those in view first: a quarter of what is near lies above it.
    if (this.#coming.length > most) this.#coming.push(...this.#coming.splice(0, this.#coming.length >> 2));
    this.#makeSome(most);
  }

  /** @param {number} most */
  #makeSome(most) {
    for (const row of this.#coming.splice(0, most)) row.show(true);
    if (this.#making || this.#coming.length === 0) return;
    this.#making = true;
    requestAnimationFrame(() => {
      this.#making = false;
      this.#makeSome(SLICE);
    });
  }
}
