/** Where the focus is while a run is open: it follows a link to the run and, when that is closed, goes back. */

import { byId } from "../view/dom.js";

const RUN = 'a[href^="#/runs/"]';
const SHEET = matchMedia("(max-width: 900px), (max-height: 480px)"); // as in dock.css: the run's pane covers the page

export class RunFocus {
  #main = byId("main", HTMLElement);
  #dock = byId("dock", HTMLElement);
  /** @type {HTMLAnchorElement|null} */ #link = null; // that was followed last
  /** @type {Element|null} */ #opener = null;
  #open = false;
  #whole = false;

  constructor() {
    addEventListener("click", ({ target }) => {
      const link = target instanceof Element ? target.closest(RUN) : null;
      if (!(link instanceof HTMLAnchorElement) || link.closest("nf-log")) return; // the number of a line leads to a line
      this.#link = link;
      if (this.#open && link.hash === location.hash) this.open(); // nothing else will tell of it
    });
    SHEET.addEventListener("change", () => this.#cover());
  }

  /** The run of the address is shown. The focus stays where it is if the page itself went there, as after a command. */
  open() {
    const link = this.#link?.hash === location.hash ? this.#link : null;
    const first = !this.#open;
    this.#link = null;
    this.#open = true;
    if (first && this.#main.contains(document.activeElement)) this.#opener = document.activeElement;
    if (link && !this.#dock.contains(link)) this.#opener = link;
    this.#cover();
    if (link || (first && this.#main.inert) || this.#dock.contains(document.activeElement)) this.#come();
  }

  /** @param {boolean} whole the pane has the whole height */
  expand(whole) {
    this.#whole = whole;
    this.#cover();
  }

  close() {
    if (!this.#open) return;
    const opener = this.#opener;
    this.#open = false;
    this.#opener = null;
    this.#cover();
    if (!this.#dock.contains(document.activeElement)) return;
    if (opener instanceof HTMLElement) opener.focus();
    if (document.activeElement !== opener) byId("page-title", HTMLHeadingElement).focus({ preventScroll: true });
  }

  /** Where the pane covers the page, the page behind it is out of reach. */
  #cover() {
    const covers = this.#open && (this.#whole || SHEET.matches);
    if (covers && this.#main.contains(document.activeElement)) this.#come();
    this.#main.inert = covers;
  }

  /** To the heading, once it is shown, which takes a turn of the event loop or two. @param {number} [turns] to wait at most */
  #come(turns = 20) {
    setTimeout(() => {
      const headings = /** @type {NodeListOf<HTMLElement>} */ (this.#dock.querySelectorAll("[data-heading]"));
      const shown = [...headings].find((heading) => heading.getClientRects().length > 0);
      if (shown) shown.focus({ preventScroll: true });
      else if (this.#open && turns) this.#come(turns - 1);
    });
  }
}
