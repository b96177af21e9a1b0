/** The bar above a log: search, first error, and how the log is shown. Says what was asked for; decides nothing. */

import { tally } from "../core/log-search.js";
import { NO_CONNECTION } from "../core/words.js";
import { icon, make, setAttribute, setText } from "./dom.js";

/**
 * @typedef {object} Asks
 * @property {(words: string) => void} find
 * @property {(way: 1|-1) => void} step to the next or the last match
 * @property {() => void} leave the search field
 * @property {Record<string, (button: HTMLElement) => unknown>} act by button
 */

/** @type {[string, string, string, boolean][]} name, icon, label with its key, a switch */
const BUTTONS = [
  ["error", "triangle", "First error (E)", false],
  ["follow", "follow", "Follow the end of the log", true],
  ["times", "clock", "Time of each line", true],
  ["wrap", "wrap", "Wrap long lines", true],
  ["fold", "fold", "Fold all parts", true],
  ["copy", "copy", "Copy the log, or what is selected", false],
  ["print", "print", "Print the log", false],
  ["full", "expand", "Full screen", true],
  ["more", "more", "More of the log", false], // in a narrow bar, for what has no room there
];

export class LogBar {
  element = make("div", "log-bar");
  /** Shown where the log covers the banner that says it too. */
  lost = make("p", "log-lost", `${NO_CONNECTION}: what comes meanwhile is shown when it is back`);
  #field = /** @type {HTMLInputElement} */ (make("input", "log-find"));
  #tally = make("span", "log-tally");
  #jumps = make("div", "log-jumps");
  #download = document.createElement("a");
  /** @type {Map<string, HTMLElement>} */ #buttons = new Map();
  /** @type {any} */ #typing = null;

  /** @param {Asks} asks */
  constructor(asks) {
    this.asks = asks;
    this.element.setAttribute("role", "group");
    this.element.setAttribute("aria-label", "Log");
    this.element.append(this.#finder(), ...BUTTONS.map(([name, picture, label, pressed]) => this.#button(name, picture, label, pressed)));
    this.#download.className = "button plain square log-download";
    this.#download.append(icon("download"));
    this.#download.setAttribute("aria-label", "Download the log");
    this.#download.title = "Download the log";
    this.#download.hidden = true;
    this.#buttons.get("copy")?.after(this.#download);
    const more = /** @type {HTMLElement} */ (this.#buttons.get("more"));
    more.setAttribute("aria-haspopup", "menu");
    more.setAttribute("aria-expanded", "false");
  }

  /** @param {string} name @param {boolean} on */
  press(name, on) {
    setAttribute(/** @type {HTMLElement} */ (this.#buttons.get(name)), "aria-pressed", String(on));
  }

  /** Whether a button is of use now. @param {string} name @param {boolean} there */
  offer(name, there) {
    const button = /** @type {HTMLElement} */ (this.#buttons.get(name));
    button.hidden = !there;
  }

  /** @param {string} address empty: none */
  download(address) {
    this.#download.hidden = !address;
    if (address) this.#download.href = address;
  }

  /** @param {import("../core/log-search.js").Search} search */
  count(search) {
    setText(this.#tally, tally(search));
    this.element.toggleAttribute("data-finding", search.words !== "");
    setAttribute(this.#tally, "data-none", search.words && !search.busy && search.total === 0 ? "" : null);
  }

  /**
   * To the search field, with what is in it selected.
   * @returns {boolean} false: it was there; asked for a second time the browser's own search comes, which sees only what is drawn
   */
  focus() {
    if (document.activeElement === this.#field) return false;
    this.element.setAttribute("data-open", "");
    this.#field.focus();
    this.#field.select();
    return true;
  }

  clear() {
    clearTimeout(this.#typing);
    this.#field.value = "";
    this.element.removeAttribute("data-open");
  }

  /** No longer search. @returns {boolean} false: nothing was searched */
  end() {
    if (!this.#field.value) return false;
    this.clear();
    this.asks.find("");
    return true;
  }

  #finder() {
    const finder = make("div", "log-finder");
    const field = this.#field;
    field.type = "search";
    field.placeholder = "Search the whole log";
    field.setAttribute("aria-label", "Search the log");
    field.setAttribute("autocomplete", "off");
    field.spellcheck = false;
    field.maxLength = 200;
    field.addEventListener("input", () => {
      clearTimeout(this.#typing);
      this.#typing = setTimeout(() => this.asks.find(field.value), field.value ? 180 : 0);
    });
    field.addEventListener("keydown", (event) => this.#onKey(event));
    this.#tally.setAttribute("role", "status");
    this.#jumps.append(this.#jump("previous", "Last match (Shift+Enter)", -1), this.#jump("next", "Next match (Enter)", 1), this.#ending());
    // On a small screen the open field has the bar to itself: it goes when it is left empty.
    finder.addEventListener("focusout", ({ relatedTarget }) => {
      if (!field.value && !finder.contains(/** @type {Node|null} */ (relatedTarget))) this.clear();
    });
    const open = make("button", "button plain square log-open");
    open.setAttribute("type", "button");
    open.setAttribute("aria-label", "Search the log");
    open.append(icon("find"));
    open.addEventListener("click", () => this.focus());
    finder.append(open, icon("find"), field, this.#tally, this.#jumps);
    return finder;
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (event.key === "Enter") {
      clearTimeout(this.#typing);
      this.asks.find(this.#field.value);
      this.asks.step(event.shiftKey ? -1 : 1);
    } else if (event.key === "Escape") {
      clearTimeout(this.#typing);
      this.asks.find(this.#field.value); // what was found stays, and can be gone through from the log
      this.asks.leave();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {string} picture @param {string} label @param {1|-1} way */
  #jump(picture, label, way) {
    const button = this.#make(picture, label);
    button.addEventListener("click", () => this.asks.step(way));
    return button;
  }

  #ending() {
    const button = this.#make("close", "End the search (Esc in the log)");
    button.addEventListener("click", () => {
      this.end();
      this.asks.leave();
    });
    return button;
  }

  /** @param {string} name @param {string} picture @param {string} label @param {boolean} pressed */
  #button(name, picture, label, pressed) {
    const button = this.#make(picture, label);
    button.dataset.act = name;
    if (pressed) button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => this.asks.act[name](button));
    this.#buttons.set(name, button);
    return button;
  }

  /** @param {string} picture @param {string} label */
  #make(picture, label) {
    const button = make("button", "button plain square");
    button.setAttribute("type", "button");
    button.setAttribute("aria-label", label);
    button.title = label;
    button.append(icon(picture));
    return button;
  }
}
