/** What the browser's tab shows: the page's name, how many hosts need somebody, the fleet's state as its icon. */

import { fleetState } from "../core/problems.js";

export class Tab {
  #heading = "Fleet";
  #needing = 0;
  #icon = /** @type {HTMLLinkElement} */ (document.getElementById("favicon"));

  /** @param {string} heading */
  name(heading) {
    this.#heading = heading;
    this.#write();
  }

  /** @param {import("../core/types.js").Fleet} fleet @param {boolean} lost the server is away */
  show(fleet, lost) {
    const { tone, needing } = fleetState(fleet, Date.now() + fleet.clockOffset);
    this.#needing = fleet.synced ? needing : 0;
    this.#write();
    const href = this.#icon.dataset[lost ? "lost" : tone] ?? "";
    if (href && this.#icon.getAttribute("href") !== href) this.#icon.setAttribute("href", href);
  }

  #write() {
    const title = `${this.#needing ? `(${this.#needing}) ` : ""}${this.#heading} · NixFleet`;
    if (document.title !== title) document.title = title;
  }
}
