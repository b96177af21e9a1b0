/** Parts of the page that who only looks at the fleet does without: fetched and made when they are first needed. */

/** @typedef {typeof import("/static/vendor/alpine-csp/module.esm.min.js").default} Alpine */

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
  const make = async () => {
    try {
      await fetch();
      element.removeAttribute("x-ignore");
      delete (/** @type {any} */ (element)._x_ignore);
      Alpine.initTree(element);
    } catch (problem) {
      coming = null;
      app.tell({ level: "error", title: `${what} could not be fetched`, detail: String(problem) });
    }
  };
  return () => void (coming ??= make());
}
