/** The menu that opens from a button: one element for all of them, filled when it opens. Arrow keys, Home, End, Escape. */

import { byId, icon, make } from "./dom.js";

const EDGE = 8; // pixels to the window's border

/**
 * @typedef {object} Item
 * @property {string} label
 * @property {string} [icon]
 * @property {string} [why] it can't be done now, and why
 * @property {boolean} [checked] a choice that is on or off
 * @property {() => void} run
 * @typedef {Item|"line"|{heading: string}} Entry
 */

/** @type {HTMLElement|null} */
let opener = null;

/** @param {HTMLElement} button that opened it and gets the focus back @param {string} label @param {Entry[]} entries */
export function openMenu(button, label, entries) {
  const menu = byId("menu", HTMLDivElement);
  if (menu.matches(":popover-open")) {
    menu.hidePopover();
    if (opener === button) return;
  }
  opener = button;
  menu.setAttribute("aria-label", label);
  menu.replaceChildren(...entries.map(draw));
  button.setAttribute("aria-expanded", "true");
  menu.showPopover();
  place(menu, button);
  first(menu)?.focus();
}

/** @param {Entry} entry */
function draw(entry) {
  if (entry === "line") return make("hr");
  if ("heading" in entry) return make("p", "label-small", entry.heading);
  const button = make("button");
  button.setAttribute("type", "button");
  const choice = entry.checked !== undefined;
  button.setAttribute("role", choice ? "menuitemcheckbox" : "menuitem");
  button.tabIndex = -1;
  if (choice) button.setAttribute("aria-checked", String(entry.checked));
  const mark = choice ? (entry.checked ? icon("check") : make("span", "mark")) : entry.icon ? icon(entry.icon) : make("span", "mark");
  const text = make("span", "", entry.label);
  if (entry.why) text.append(make("span", "why", entry.why));
  button.append(mark, text);
  if (entry.why) button.setAttribute("aria-disabled", "true");
  button.addEventListener("click", () => {
    if (entry.why) return;
    byId("menu", HTMLDivElement).hidePopover();
    entry.run();
  });
  return button;
}

/** Below the button, or above where there is more room. @param {HTMLElement} menu @param {HTMLElement} button */
function place(menu, button) {
  const at = button.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = menu;
  const below = innerHeight - at.bottom - EDGE >= height || at.top < innerHeight / 2;
  const top = below ? at.bottom + 4 : at.top - height - 4;
  menu.style.top = `${Math.max(EDGE, Math.min(top, innerHeight - height - EDGE))}px`;
  menu.style.left = `${Math.max(EDGE, Math.min(at.right - width, innerWidth - width - EDGE))}px`;
}

/** @param {HTMLElement} menu */
const items = (menu) => /** @type {HTMLElement[]} */ ([...menu.querySelectorAll("button")]);

/** @param {HTMLElement} menu */
const first = (menu) => items(menu)[0];

/** @type {Record<string, ((at: number, count: number) => number)|undefined>} */
const MOVES = {
  ArrowDown: (at, count) => (at + 1) % count,
  ArrowUp: (at, count) => (at - 1 + count) % count,
  Home: () => 0,
  End: (_, count) => count - 1,
};

/** Call once. */
export function startMenu() {
  const menu = byId("menu", HTMLDivElement);
  menu.addEventListener("keydown", (event) => {
    const all = items(menu);
    const at = all.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const move = MOVES[event.key];
    if (move) all[move(at, all.length)]?.focus();
    if (event.key === "Tab") menu.hidePopover();
    if (move || event.key === "Tab") event.preventDefault();
    event.stopPropagation(); // a letter here is no shortcut, Escape no closing of the log
  });
  menu.addEventListener("toggle", (event) => {
    if (/** @type {ToggleEvent} */ (event).newState !== "closed") return;
    opener?.setAttribute("aria-expanded", "false");
    if (opener && (document.activeElement === document.body || menu.contains(document.activeElement))) opener.focus();
  });
}
