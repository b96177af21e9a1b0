/** The keys of a log: letters and Escape with the focus in it, some with Ctrl wherever it is shown. */

/** @param {Element} log */
const inSight = (log) => log.isConnected && log.getClientRects().length > 0 && !document.querySelector("dialog[open]");

/**
 * @param {HTMLElement} log
 * @param {Record<string, () => unknown>} letters
 * @param {() => boolean} escape false: nothing to leave here, the page may have it
 * @param {Record<string, () => boolean>} withCtrl in the browser's place; false: the browser's own
 */
export function listenToKeys(log, letters, escape, withCtrl) {
  log.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      if (escape()) event.stopPropagation();
      return;
    }
    const typing = /** @type {Element} */ (event.target).matches("input");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(letters, event.key)) return;
    event.preventDefault();
    letters[event.key]();
  });
  addEventListener("keydown", (event) => {
    const key = event.key.toLowerCase();
    if (!(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey || !Object.hasOwn(withCtrl, key)) return;
    if (inSight(log) && withCtrl[key]()) event.preventDefault();
  });
}
