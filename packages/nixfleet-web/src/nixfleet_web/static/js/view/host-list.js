/** The list of hosts: rows made, moved and taken away as the fleet says. Rows that did not change are not touched. */

import { byId } from "./dom.js";
import { HostRow } from "./host-row.js";

export class HostList {
  /** @type {Map<string, HostRow>} */ #rows = new Map();
  #box = byId("hosts", HTMLDivElement);
  #list = byId("host-list", HTMLUListElement);
  #empty = byId("no-hosts", HTMLDivElement);

  /** @param {ConstructorParameters<typeof HostRow>[1]} onAction */
  constructor(onAction) {
    this.onAction = onAction;
  }

  /** @param {import("../core/types.js").Fleet} fleet @param {boolean} live @param {number} now by the server's clock */
  update(fleet, live, now) {
    this.#box.hidden = !fleet.synced;
    this.#empty.hidden = fleet.hosts.size > 0;
    for (const [hostId, row] of this.#rows) {
      if (fleet.hosts.has(hostId)) continue;
      row.element.remove();
      this.#rows.delete(hostId);
    }
    let at = this.#list.firstElementChild;
    for (const [hostId, host] of fleet.hosts) {
      const row = this.#rows.get(hostId) ?? this.#add(hostId);
      row.update(host, live, now);
      if (row.element === at) at = at.nextElementSibling;
      else this.#list.insertBefore(row.element, at);
    }
  }

  /** @param {number} now by the server's clock */
  tick(now) {
    for (const row of this.#rows.values()) row.tick(now);
  }

  /** @param {string|null} hostId the host whose runs are shown */
  mark(hostId) {
    for (const [id, row] of this.#rows) row.mark(id === hostId);
  }

  /** @param {string} hostId */
  #add(hostId) {
    const row = new HostRow(hostId, this.onAction);
    this.#rows.set(hostId, row);
    return row;
  }
}
