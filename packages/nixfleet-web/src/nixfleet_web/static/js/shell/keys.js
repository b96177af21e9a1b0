/** Listens to the keyboard and calls the hand that was given to a shortcut of core/shortcuts.js. */

import { meaning, pressed } from "../core/shortcuts.js";
import { recall, remember } from "./preferences.js";

const PATIENCE = 1200; // milliseconds between the first and the second of two keys
const TYPING = "input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]";

export class Keys {
  /** @type {Map<string, ((event: KeyboardEvent) => void|false)[]>} */ #hands = new Map();
  #waiting = "";
  #since = 0;

  /** Single letters can be switched off: those who dictate type them unmeant. */
  get single() {
    return recall("keys", "on") === "on";
  }
  set single(on) {
    remember("keys", on ? "on" : "off");
  }

  start() {
    addEventListener("keydown", (event) => this.#onKey(event));
  }

  /**
   * Hands given last are asked first; one that returns false leaves the key to those before it.
   * @param {string} id of the shortcut @param {(event: KeyboardEvent) => void|false} hand
   */
  on(id, hand) {
    this.#hands.set(id, [hand, ...(this.#hands.get(id) ?? [])]);
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (event.defaultPrevented || event.isComposing) return;
    const press = pressed(event);
    const plain = press.length === 1;
    if (plain && (!this.single || (event.target instanceof Element && event.target.matches(TYPING)))) return;
    const before = event.timeStamp - this.#since < PATIENCE ? this.#waiting : "";
    const { shortcut, waiting } = meaning(press, before);
    this.#waiting = waiting;
    this.#since = event.timeStamp;
    if (!shortcut || (!shortcut.dialogs && document.querySelector("dialog[open]"))) return;
    for (const hand of this.#hands.get(shortcut.id) ?? []) {
      if (hand(event) === false) continue;
      event.preventDefault();
      return;
    }
  }
}
