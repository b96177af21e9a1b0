/** What is open, kept in the address so that it can be shared and survives a reload: #/hosts/NAME, #/runs/ID. */

/** @typedef {{host: string|null, run: string|null}} Route */

/** @param {string} hash @returns {Route} */
export function parse(hash) {
  const [, noun, id] = /^#\/(hosts|runs)\/([A-Za-z0-9_-]{1,64})$/.exec(hash) ?? [];
  return { host: noun === "hosts" ? id : null, run: noun === "runs" ? id : null };
}

/** @param {string} id */
export const runPath = (id) => `#/runs/${id}`;

/** @param {string} id */
export const hostPath = (id) => `#/hosts/${id}`;

/** Nothing open; without the jump to the top that an empty hash makes. */
export function leave() {
  history.pushState(null, "", location.pathname);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

/** @param {(route: Route) => void} listener called at once and with each change */
export function watch(listener) {
  addEventListener("hashchange", () => listener(parse(location.hash)));
  listener(parse(location.hash));
}
