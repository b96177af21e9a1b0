/** The pages in the middle: which is open, its heading, and where the focus goes when another opens. */

import { byId, setText } from "../view/dom.js";

/**
 * @typedef {import("../shell/route.js").Route} Route
 * @typedef {object} Page
 * @property {(route: Route) => string} heading
 * @property {boolean} [foreign] the heading is a name that a machine has
 * @property {() => void} [make] called each time it opens; the first time makes it, and then it says what to do (`on`)
 */
/**
 * @typedef {object} Doings
 * @property {(route: Route) => void} [enter] it opens, or stays open with another address
 * @property {() => void} [leave]
 */

/** @typedef {{top: number, focus: Element|null}} Place on a page: how far down, and what had the focus */

const COMES = 2000; // milliseconds in which what was on a page is there again

let entries = Date.now(); // unlike those of before a reload

/** Number of the browser's entry that is shown. One that Back leads to has it already. @returns {number} */
function entryNow() {
  if (!history.state?.entry) history.replaceState({ entry: (entries += 1) }, "");
  return history.state.entry;
}

export class Pages {
  /** @type {Map<string, Page & Doings>} */ #pages = new Map();
  #open = "";
  /** @type {Route|null} */ #route = null;
  #title = byId("page-title", HTMLHeadingElement);
  #main = byId("main", HTMLElement);
  #entry = 0; // that led to the page
  /** @type {Map<number, Place>} */ #places = new Map();

  /** @param {import("../shell/route.js").Router} router @param {import("../shell/tab.js").Tab} tab */
  constructor(router, tab) {
    this.tab = tab;
    router.listen((route, before) => this.#show(route, before === null));
  }

  /** @param {"fleet"|"host"|"settings"} name as in `data-page` of index.html @param {Page} page */
  add(name, page) {
    this.#pages.set(name, page);
  }

  /** A page that was added is there now. @param {"host"|"settings"} name @param {Doings} doings */
  on(name, doings) {
    Object.assign(/** @type {Page} */ (this.#pages.get(name)), doings);
    // In a moment: what lies in the page listens only once it is made too.
    queueMicrotask(() => {
      if (name === this.#open && this.#route) doings.enter?.(this.#route);
    });
  }

  /** @param {"host"|"settings"} name @returns {HTMLElement} */
  section(name) {
    return /** @type {HTMLElement} */ (document.querySelector(`[data-page="${name}"]`));
  }

  get open() {
    return this.#open;
  }

  /** @param {Route} route @param {boolean} first */
  #show(route, first) {
    const name = route.page ?? (this.#open || "fleet");
    const page = this.#pages.get(name);
    if (!page || (!route.page && this.#open)) return; // something lies over it now, or no longer does
    this.#places.set(this.#entry, { top: this.#main.scrollTop, focus: this.#focused });
    this.#entry = entryNow();
    const other = name !== this.#open;
    if (other) this.#pages.get(this.#open)?.leave?.();
    this.#open = name;
    this.#route = route;
    for (const element of document.querySelectorAll("[data-page]")) {
      /** @type {HTMLElement} */ (element).hidden = element.getAttribute("data-page") !== name;
    }
    const heading = page.heading(route);
    const renamed = this.#title.textContent !== heading;
    setText(this.#title, heading);
    this.#title.className = page.foreign ? "foreign mono" : "";
    this.tab.name(heading);
    page.make?.();
    page.enter?.(route);
    if (!first && renamed) this.#arrive(this.#places.get(this.#entry) ?? { top: 0, focus: null });
  }

  get #focused() {
    return this.#main.contains(document.activeElement) ? document.activeElement : null;
  }

  /** Back is to where one was; elsewhere a screen reader says where we are, and Tab goes on from there. @param {Place} place */
  #arrive({ top, focus }) {
    this.#scroll(top);
    if (focus instanceof HTMLElement && focus.isConnected) focus.focus({ preventScroll: true });
    if (!focus || document.activeElement !== focus) this.#title.focus({ preventScroll: true });
  }

  /** Down to there, also when the page grows that long only in a moment; unless one scrolls oneself. @param {number} top */
  #scroll(top) {
    const scroller = this.#main;
    const entry = this.#entry;
    scroller.scrollTop = top;
    let reached = scroller.scrollTop;
    if (reached >= top - 1) return;
    const grown = new ResizeObserver(() => {
      if (entry !== this.#entry || scroller.scrollTop !== reached) return grown.disconnect();
      scroller.scrollTop = top;
      reached = scroller.scrollTop;
      if (reached >= top - 1) grown.disconnect();
    });
    grown.observe(/** @type {Element} */ (scroller.firstElementChild));
    setTimeout(() => grown.disconnect(), COMES);
  }
}
