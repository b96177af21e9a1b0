/** Parts of the page: those one sees, made one after the other, and those that are fetched and made when first needed. */

/** @typedef {typeof import("/static/vendor/alpine-csp/module.esm.min.js").default} Alpine */

/** @param {Alpine} Alpine @param {Element} element marked `x-ignore` until now */
function make(Alpine, element) {
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
  return parts.map((part) => () => make(Alpine, part));
}

/**
 * @param {import("../app.js").App} app
 * @param {Alpine} Alpine
 * @param {HTMLElement} element marked `x-ignore` until then
 * @param {string} what it is, for the message when it can't be fetched; the next call tries again
 * @param {() => Promise<void>} fetch gets the modules and tells Alpine of their data
 * @returns {() => void}
 */
export function later(app, Alpine, element, what, fetch) {
  /** @type {Promise<void>|null} */
  let coming = null;
  const come = async () => {
    try {
      await fetch();
      make(Alpine, element);
    } catch (problem) {
      coming = null;
      app.tell({ level: "error", title: `${what} could not be fetched`, detail: String(problem) });
    }
  };
  return () => void (coming ??= come());
}
