/** Settings: who is logged in, which tokens there are, what was done. */

import { SCOPES, auditView, enrollView, sessionView, tokenView } from "../core/access-view.js";
import { copyText } from "../view/clipboard.js";
import { iconUrl } from "../view/dom.js";
import { hostPath } from "../shell/route.js";
import { partBase } from "./settings.js";

const AUDIT_PAGE = 50;

/** @param {import("../app.js").App} app */
export const sessionList = (app) => () => ({
  ...partBase(app),
  sessions: /** @type {ReturnType<typeof sessionView>[]} */ ([]),
  init() {
    this.whenOpen("sessions", () => void this.load());
  },
  load() {
    return this.get("/sessions", ({ sessions = [] }) => {
      this.sessions = sessions.map((/** @type {any} */ one) => sessionView(one, app.now()));
    });
  },
  /** @returns {boolean} */
  get others() {
    return this.sessions.length > 1;
  },
  /** @param {string} id */
  async end(id) {
    await this.drop(`/sessions/${encodeURIComponent(id)}`);
  },
  async endOthers() {
    await this.drop("/sessions");
  },
});

/** @param {import("../app.js").App} app */
export const tokenList = (app) => () => ({
  ...partBase(app),
  tokens: /** @type {ReturnType<typeof tokenView>[]} */ ([]),
  scopes: Object.entries(SCOPES).map(([id, label]) => ({ id, label })),
  name: "",
  scope: "read",
  days: "90",
  made: "",
  madeName: "",
  copied: "Copy",
  init() {
    this.whenOpen("tokens", () => {
      this.made = "";
      void this.load();
    });
  },
  load() {
    return this.get("/tokens", ({ tokens = [] }) => {
      this.tokens = tokens.map((/** @type {any} */ one) => tokenView(one, app.now()));
    });
  },
  /** @returns {boolean} */
  get none() {
    return !this.missing && !this.loading && this.tokens.length === 0;
  },
  async add() {
    const expires = this.days === "never" ? {} : { expires_in: Number(this.days) * 86_400 };
    const done = await this.tryTo(async () => {
      this.made = (await app.api.send("POST", "/tokens", { name: this.name.trim(), scope: this.scope, ...expires })).token;
    });
    if (!done) return;
    Object.assign(this, { madeName: this.name.trim(), name: "", copied: "Copy" });
    await this.load();
  },
  async copy() {
    this.copied = (await copyText(this.made)) ? "Copied" : "Select it and copy";
  },
  /** @param {{id: string, name: string}} token */
  async revoke({ id, name }) {
    const text = "Whatever uses it is refused from now on. Tokens can't be brought back.";
    if (!(await app.ask({ title: `Revoke the token ${name}?`, text, confirm: "Revoke", danger: true }))) return;
    await this.drop(`/tokens/${encodeURIComponent(id)}`);
  },
});

/** @param {import("../app.js").App} app */
export const enrollList = (app) => () => ({
  ...partBase(app),
  tokens: /** @type {object[]} */ ([]),
  init() {
    this.whenOpen("tokens", () => void this.load());
  },
  load() {
    return this.get("/enroll-tokens", ({ tokens = [] }) => {
      this.tokens = tokens.map((/** @type {any} */ one) => {
        const view = enrollView(one, app.now());
        return { ...view, icon: iconUrl(view.shape), href: view.usedBy ? hostPath(view.usedBy) : null };
      });
    });
  },
  /** @returns {boolean} */
  get none() {
    return !this.missing && !this.loading && !this.error && this.tokens.length === 0;
  },
  /** @param {{id: string, host: string}} token */
  async revoke({ id, host }) {
    const text = "An agent that shows it is refused from now on. Adding a host makes a new one.";
    if (!(await app.ask({ title: `Revoke the one-time token for ${host}?`, text, confirm: "Revoke", danger: true }))) return;
    await this.drop(`/enroll-tokens/${encodeURIComponent(id)}`);
  },
});

/** @param {import("../app.js").App} app */
export const auditLog = (app) => () => ({
  ...partBase(app),
  entries: /** @type {object[]} */ ([]),
  next: /** @type {number|null} */ (null),
  init() {
    this.whenOpen("audit", () => {
      this.entries = [];
      this.next = null;
      void this.load();
    });
  },
  load() {
    const before = this.next === null ? "" : `&before=${this.next}`;
    return this.get(`/audit?limit=${AUDIT_PAGE}${before}`, (page) => {
      const fresh = (page.entries ?? []).map((/** @type {any} */ one) => {
        const view = auditView(one, app.now());
        return { ...view, tone: view.ok ? "ok" : "bad", icon: iconUrl(view.ok ? "check" : "cross") };
      });
      this.entries = [...this.entries, ...fresh];
      this.next = page.next ?? null;
    });
  },
  /** @returns {boolean} */
  get more() {
    return this.next !== null;
  },
});
