/** The JSON API: fetch with the CSRF token, and every error as one Refused with words for the operator. */

import * as defaults from "../core/defaults.js";
import { NO_CONNECTION } from "../core/words.js";

const BASE = "/api/v1";

/** The server said no, or could not be asked (status 0). */
export class Refused extends Error {
  /** @param {{status: number, code: string, title: string, detail: string}} problem */
  constructor({ status, code, title, detail }) {
    super(detail || title);
    this.name = "Refused";
    this.status = status;
    this.code = code;
    this.title = title;
    this.detail = detail;
  }
}

export class Api {
  #csrf = "";
  /** @param {typeof fetch} [fetcher] */
  constructor(fetcher = (...args) => fetch(...args)) {
    this.fetcher = fetcher;
  }

  /** Whether requests that change something can be made. */
  get ready() {
    return this.#csrf !== "";
  }

  /** Asks who we are; keeps the CSRF token. Raises Refused with status 401 when logged out. */
  async session() {
    this.#csrf = (await this.#ask("GET", "/session")).csrf;
  }

  /** @param {string} password @param {string} [code] the second factor */
  async login(password, code = "") {
    this.#csrf = (await this.#ask("POST", "/session", code ? { password, code } : { password })).csrf;
  }

  async logout() {
    await this.#ask("DELETE", "/session");
  }

  /** @param {string} hostId @param {string} command @param {object} [options] @returns {Promise<import("../core/types.js").Run>} */
  async start(hostId, command, options = {}) {
    return defaults.run(await this.#ask("POST", `/hosts/${encodeURIComponent(hostId)}/runs`, { command, options }));
  }

  /** @param {string} runId @returns {Promise<import("../core/types.js").Run>} the run that stops it */
  async stop(runId) {
    return defaults.run(await this.#ask("POST", `/runs/${encodeURIComponent(runId)}/stop`, {}));
  }

  /** @param {string} hostId @param {number} [limit] @returns {Promise<import("../core/types.js").Run[]>} newest first */
  async runs(hostId, limit = 30) {
    const page = await this.#ask("GET", `/runs?host=${encodeURIComponent(hostId)}&limit=${limit}`);
    return (page.runs ?? []).map(defaults.run);
  }

  /** @param {string} runId @returns {Promise<import("../core/types.js").Run>} */
  async run(runId) {
    return defaults.run(await this.#ask("GET", `/runs/${encodeURIComponent(runId)}`));
  }

  /** For whatever has no method of its own. @param {string} path below /api/v1 @returns {Promise<any>} */
  get(path) {
    return this.#ask("GET", path);
  }

  /** @param {"POST"|"PATCH"|"PUT"|"DELETE"} method @param {string} path @param {object} [body] @returns {Promise<any>} */
  send(method, path, body) {
    return this.#ask(method, path, body);
  }

  /** Whether the server answers at all, within the time. @param {number} timeout milliseconds */
  async alive(timeout) {
    try {
      await this.fetcher("/livez", { cache: "no-store", signal: AbortSignal.timeout(timeout) });
      return true;
    } catch {
      return false;
    }
  }

  /** @param {string} method @param {string} path @param {object} [body] @returns {Promise<any>} */
  async #ask(method, path, body) {
    /** @type {Record<string, string>} */
    const headers = { Accept: "application/json" };
    if (body) headers["Content-Type"] = "application/json";
    if (method !== "GET" && this.#csrf) headers["X-CSRF-Token"] = this.#csrf;
    const init = { method, headers, body: body && JSON.stringify(body), cache: /** @type {const} */ ("no-store") };
    let response;
    try {
      response = await this.fetcher(BASE + path, init);
    } catch {
      throw new Refused({ status: 0, code: "no_connection", title: NO_CONNECTION, detail: "" });
    }
    const answer = response.status === 204 ? {} : await response.json().catch(() => ({}));
    if (response.ok) return answer;
    if (isMissing(response.status, answer.code ?? "")) throw new Refused({ ...MISSING, status: response.status });
    if (Object.hasOwn(GONE, answer.code ?? "")) throw new Refused({ status: response.status, code: answer.code, ...GONE[answer.code] });
    const title = answer.title || `The server answered with status ${response.status}`;
    throw new Refused({ status: response.status, code: answer.code ?? "", title, detail: answer.detail ?? "" });
  }
}

/** What an older server answers where this page asks for something newer. */
const MISSING = {
  code: "too_old",
  title: "This server can't do that yet",
  detail: "It is older than this page. Update nixfleet-server, then it works.",
};

/** The server's own words for these name a command of the terminal. @type {Record<string, {title: string, detail: string}>} */
const GONE = {
  no_such_host: { title: "There is no host of this name", detail: "It was removed, or the address is not right." },
  no_such_run: { title: "There is no such run", detail: "It was removed, or the address is not right." },
};

/** A route that isn't there, as against a host or a run that isn't. @param {number} status @param {string} code */
const isMissing = (status, code) => status === 405 || (status === 404 && !code.startsWith("no_such"));

/** Address of the program's own output, byte for byte. @param {string} runId */
export const downloadUrl = (runId) => `${BASE}/runs/${encodeURIComponent(runId)}/log?format=raw`;
