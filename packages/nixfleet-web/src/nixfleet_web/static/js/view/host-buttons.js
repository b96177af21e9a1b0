/** A host's buttons: the usual actions, stop, and a menu with the rest. Enabled by the server's state alone. */

import { ACTIONS, whyNot } from "../core/actions.js";
import { commandName } from "../core/words.js";
import { hostPath } from "../shell/route.js";
import { icon, make, setAttribute } from "./dom.js";
import { openMenu } from "./menu.js";

/**
 * @typedef {import("../core/types.js").Host} Host
 * @typedef {import("../core/actions.js").Action} Action
 *
 * @typedef {object} Hands what the row can't do itself
 * @property {(host: Host, action: Action, button: HTMLElement) => void} act
 * @property {(hostId: string, range: boolean) => void} select
 */

const BUTTONS = ACTIONS.filter((action) => action.main || action.command === "stop");
const REST = ACTIONS.filter((action) => !BUTTONS.includes(action));

/** @typedef {(host: Host, live: boolean) => import("./menu.js").Item[]} Offer @type {Offer[]} */
const OFFERS = [];

/** More for a host's menu, above the rest, from those who can do what the row can't. @param {Offer} more */
export const offer = (more) => void OFFERS.push(more);

export class HostButtons {
  /** @type {Host|null} */ #host = null;
  #live = false;
  /** @type {Map<Action, HTMLButtonElement>} */ #buttons = new Map();

  /** @param {Record<string, HTMLElement>} slots @param {string} hostId @param {Hands} hands */
  constructor(slots, hostId, hands) {
    for (const action of BUTTONS) {
      const button = this.#button(commandName(action.command), action.main ? "" : action.icon, hostId);
      button.dataset.command = action.command;
      button.addEventListener("click", () => {
        // aria-disabled, not disabled: a button that has the focus keeps it while a command runs.
        if (this.#host && button.getAttribute("aria-disabled") !== "true") hands.act(this.#host, action, button);
      });
      this.#buttons.set(action, button);
      slots[action.main ? "main-actions" : "extra-actions"].append(button);
    }
    const more = this.#button("More", "more", hostId);
    more.setAttribute("aria-haspopup", "menu");
    more.setAttribute("aria-expanded", "false");
    more.title = "More";
    more.addEventListener("click", () => this.#host && openMenu(more, `Actions of ${hostId}`, restOf(this.#host, this.#live, hands, more)));
    slots["extra-actions"].append(more);
  }

  /** @param {Host} host @param {boolean} live */
  draw(host, live) {
    this.#host = host;
    this.#live = live;
    for (const [action, button] of this.#buttons) {
      const reason = whyNot(action, host, live);
      setAttribute(button, "aria-disabled", reason ? "true" : "false");
      setAttribute(button, "title", reason || commandName(action.command));
    }
  }

  /** @param {string} label @param {string} symbol empty: the label is shown @param {string} hostId */
  #button(label, symbol, hostId) {
    const button = /** @type {HTMLButtonElement} */ (make("button", symbol ? "button square" : "button"));
    button.type = "button";
    button.append(symbol ? icon(symbol) : label);
    button.setAttribute("aria-label", `${label}: ${hostId}`);
    return button;
  }
}

/** The menu's entries. @param {Host} host @param {boolean} live @param {Hands} hands @param {HTMLElement} button @returns {import("./menu.js").Entry[]} */
export function restOf(host, live, hands, button) {
  const more = OFFERS.flatMap((offered) => offered(host, live));
  return [
    ...more,
    .../** @type {"line"[]} */ (more.length ? ["line"] : []),
    ...REST.map((action) => ({
      label: commandName(action.command),
      icon: action.icon,
      why: whyNot(action, host, live),
      run: () => hands.act(host, action, button),
    })),
    "line",
    { label: "Open its page", icon: "host", run: () => (location.hash = hostPath(host.host_id)) },
  ];
}
