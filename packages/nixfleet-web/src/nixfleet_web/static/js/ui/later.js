/** Parts of the page: those one sees, made one after the other, and those that are fetched and made when first needed. */

import { make } from "../view/dom.js";

/** @typedef {typeof import("/static/vendor/alpine-csp/module.esm.min.js").default} Alpine */

const AGAIN = 2000; // milliseconds
const COMES = "This comes when the server is back.";

/** @param {Alpine} Alpine @param {Element} element marked `x-ignore` until now */
function wake(Alpine, element) {
  element.removeAttribute("x-ignore");
  delete (/** @type {any} */ (element)._x_ignore);
  Alpine.initTree(/** @type {HTMLElement} */ (element));
}

/**
 * Starts Alpine without making anything: what is to be made at once is returned, the bar last, in which one sees that
 * the page is there.
 * @param {Alpine} Alpine @returns {(() => void)[]}
 */
export function startParts(Alpine) {
  const parts = [...document.querySelectorAll("[x-data]:not([x-ignore], [x-data] *)")].reverse();
  for (const part of parts) part.setAttribute("x-ignore", "");
  Alpine.start();
  return parts.map((part) => () => wake(Alpine, part));
}

const noted = (/** @type {Element} */ element) => element.previousElementSibling?.matches(".waiting");

/** Says so where the part will be, or in a message where that is no place. @param {import("../app.js").App} app @param {HTMLElement} element @param {string} what */
function wait(app, element, what) {
  const { page } = element.dataset;
  if (!page) return app.tell({ level: "waiting", title: `${what} could not be fetched`, detail: COMES });
  if (noted(element)) return;
  const note = make("p", "waiting nothing", COMES);
  note.dataset.page = page; // shown and hidden with it
  note.hidden = element.hidden;
  element.before(note);
}

/** The modules of all parts: each call gets them, or tries to. @type {(() => Promise<void>)[]} */
const ahead = [];

/**
 * @param {import("../app.js").App} app
 * @param {Alpine} Alpine
 * @param {HTMLElement} element marked `x-ignore` until then
 * @param {string} what it is, for the message when it can't be fetched
 * @param {() => Promise<void>} fetch gets the modules and tells Alpine of their data
 * @returns {() => void} makes it, now or as soon as the server is there
 */
export function later(app, Alpine, element, what, fetch) {
  /** @type {Promise<void>|null} */
  let coming = null;
  let here = false;
  let wanted = false;
  let made = false;
  const get = () =>
    (coming ??= fetch().then(
      () => void (here = true),
      (problem) => {
        coming = null;
        throw problem;
      },
    ));
  const come = async () => {
    try {
      // Some browsers keep a module's failure for good: what can't come isn't asked for.
      if (app.status.state === "lost" && !here) throw new Error("no connection");
      await get();
    } catch (problem) {
      console.info(what, problem);
      wait(app, element, what);
      if (app.live) setTimeout(() => app.live && void come(), AGAIN); // no connection will come to try with
      return;
    }
    if (made) return;
    made = true;
    if (noted(element)) element.previousElementSibling?.remove();
    wake(Alpine, element);
  };
  app.onStatus(() => app.live && wanted && !made && void come());
  ahead.push(get);
  return () => {
    wanted = true;
    if (!made) void come();
  };
}

/** A moment in which there is nothing else to do. Safari tells of none. */
const idle = () => new Promise((resolve) => (window.requestIdleCallback ?? setTimeout)(resolve));

/**
 * Gets what is not needed yet, so that it is here when the server is not: one after the other, when there is nothing else
 * to do. @param {() => boolean} live
 */
export async function fetchAhead(live) {
  for (const get of ahead) {
    await idle();
    if (live()) await get().catch(() => {}); // the next connection tries again
  }
}
