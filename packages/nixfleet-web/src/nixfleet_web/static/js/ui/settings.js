/** The settings: which part is open, and what all of them share: loading, and telling what could not be done. */

import { settingsPath } from "../shell/route.js";

const PARTS = [
  { id: "login", label: "Login", icon: "#icon-key" },
  { id: "sessions", label: "Sessions", icon: "#icon-screen" },
  { id: "tokens", label: "Tokens", icon: "#icon-link" },
  { id: "audit", label: "Audit log", icon: "#icon-list" },
  { id: "look", label: "Look and keys", icon: "#icon-sun" },
  { id: "about", label: "About and backup", icon: "#icon-fleet" },
];

/** @typedef {import("../app.js").App} App */

/** @param {App} app @param {import("./pages.js").Pages} pages */
export const settings = (app, pages) => () => ({
  part: "",
  parts: /** @type {object[]} */ ([]),
  init() {
    pages.on("settings", { enter: ({ part }) => this.show(part) });
  },
  /** @param {string} wanted */
  show(wanted) {
    const { id } = PARTS.find((part) => part.id === wanted) ?? PARTS[0];
    this.part = id;
    this.parts = PARTS.map((part) => ({ ...part, href: settingsPath(part.id), current: part.id === id ? "page" : null }));
    dispatchEvent(new CustomEvent("settings", { detail: id }));
    // On a phone the parts are a row that scrolls.
    setTimeout(() => document.querySelector('.settings-nav [aria-current="page"]')?.scrollIntoView({ block: "nearest", inline: "center" }));
  },
  /** @param {string} id */
  is(id) {
    return this.part === id;
  },
});

/**
 * What every part has: `missing` (an older server), `error`, loading, and doing one thing at a time.
 * @param {App} app
 */
export const partBase = (app) => ({
  missing: false,
  error: "",
  busy: false,
  loading: false,
  asked: 0, // of what is loaded, so that a late answer is known as such

  /**
   * Do it; what the server refuses is told here. What is pressed twice is done once.
   * @param {() => Promise<void>} work @returns {Promise<boolean>} whether it is done
   */
  async tryTo(work) {
    if (this.busy) return false;
    this.busy = true;
    try {
      this.error = "";
      await work();
      return true;
    } catch (problem) {
      this.refused(problem);
      return false;
    } finally {
      this.busy = false;
    }
  },

  /**
   * Load what is shown; the newest answer counts. Nothing that is pressed meanwhile waits for it, or is lost.
   * @param {string} path @param {(answer: any) => void} show
   */
  async get(path, show) {
    const turn = (this.asked += 1);
    this.loading = true;
    this.error = "";
    try {
      const answer = await app.api.get(path);
      if (turn === this.asked) show(answer);
    } catch (problem) {
      if (turn === this.asked) this.refused(problem);
    } finally {
      if (turn === this.asked) this.loading = false;
    }
  },

  /** @param {unknown} problem */
  refused(problem) {
    const refused = /** @type {import("../shell/api.js").Refused} */ (problem);
    if (refused.status === 401) app.fail(problem);
    else if (refused.code === "too_old") this.missing = true;
    else this.error = refused.title ? [refused.title, refused.detail].filter(Boolean).join(": ") : String(problem);
  },

  /** Take one away and show what is left. The focus stays here, though its row is gone. @param {string} path */
  async drop(path) {
    const part = /** @type {any} */ (this);
    const head = part.$root.querySelector("h2"); // found from the row, so before that goes
    const done = await this.tryTo(() => app.api.send("DELETE", path));
    const { error } = this;
    await part.load();
    this.error ||= error;
    if (done) head.focus();
  },

  /** Called each time the part is opened. @param {string} id @param {() => void} open */
  whenOpen(id, open) {
    addEventListener("settings", (event) => {
      if (/** @type {CustomEvent} */ (event).detail === id) open();
    });
  },
});
