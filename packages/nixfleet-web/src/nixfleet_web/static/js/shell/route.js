/**
 * What is open, kept in the address so that it can be shared and survives a reload. A page fills the middle; a run and
 * the adding of a host lie over whatever page was open, and closing them leads back to it.
 *
 *   #/  #/hosts/NAME  #/settings/PART      pages
 *   #/runs/ID  #/runs/ID/L120  #/add       over a page
 */

/**
 * @typedef {object} Route
 * @property {"fleet"|"host"|"settings"|null} page null: the one that was open stays
 * @property {"run"|"add"|null} over
 * @property {string|null} host
 * @property {string|null} run
 * @property {number|null} line of the run's log, from 1
 * @property {string} part of the settings
 */

/** @type {Route} */
const NOTHING = { page: null, over: null, host: null, run: null, line: null, part: "" };

/** @type {[RegExp, (id: string, more: string) => Partial<Route>][]} */
const ROUTES = [
  [/^#\/hosts\/([A-Za-z0-9_-]{1,64})$/, (host) => ({ page: "host", host })],
  [/^#\/runs\/([A-Za-z0-9_-]{1,64})(?:\/L(\d{1,9}))?$/, (run, line) => ({ over: "run", run, line: Number(line) || null })],
  [/^#\/settings(?:\/([a-z-]{1,32}))?$/, (part) => ({ page: "settings", part: part ?? "" })],
  [/^#\/add$/, () => ({ over: "add" })],
];

/** @param {string} hash @returns {Route} the fleet where nothing else is meant */
export function parse(hash) {
  for (const [pattern, fill] of ROUTES) {
    const found = pattern.exec(hash);
    if (found) return { ...NOTHING, ...fill(found[1], found[2]) };
  }
  return { ...NOTHING, page: "fleet" };
}

export const FLEET = "#/";

/** @param {string} id @param {number} [line] */
export const runPath = (id, line) => (line ? `#/runs/${id}/L${line}` : `#/runs/${id}`);

/** @param {string} id */
export const hostPath = (id) => `#/hosts/${id}`;

/** @param {string} [part] */
export const settingsPath = (part) => (part ? `#/settings/${part}` : "#/settings");

export class Router {
  route = parse("");
  #pageHash = FLEET;
  #started = false;
  /** @type {((route: Route, before: Route|null) => void)[]} */ #listeners = [];

  /** Call once all listeners are there: they hear of the address as it is. */
  start() {
    addEventListener("hashchange", () => this.#read());
    this.#started = true;
    this.#read(true);
  }

  /** @param {(route: Route, before: Route|null) => void} listener called with each change; `before` is null at first */
  listen(listener) {
    this.#listeners.push(listener);
    if (this.#started) listener(this.route, null);
  }

  /** @param {string} hash one of the paths above */
  go(hash) {
    location.hash = hash;
  }

  /** Away with what lies over the page. */
  close() {
    if (this.route.over) location.hash = this.#pageHash;
  }

  /** Address of the page that is open, whatever lies over it. */
  get pageHash() {
    return this.#pageHash;
  }

  #read(first = false) {
    const before = first ? null : this.route;
    this.route = parse(location.hash);
    if (this.route.page) this.#pageHash = location.hash || FLEET;
    for (const listener of this.#listeners) listener(this.route, before);
  }
}
