/** What frames the fleet: bar, banner of a lost server, messages, the question before what can hurt. */

import { clock, span } from "../core/format.js";
import { NO_CONNECTION } from "../core/words.js";
import { applyTheme, recall, remember } from "../shell/preferences.js";
import { iconUrl } from "../view/dom.js";

const THEMES = [
  { name: "system", icon: iconUrl("screen"), label: "Theme: as the system" },
  { name: "light", icon: iconUrl("sun"), label: "Theme: light" },
  { name: "dark", icon: iconUrl("moon"), label: "Theme: dark" },
];

/** @type {Record<string, {label: string, tone: string, shape: string, icon: string}>} */
const LIVE = {
  connecting: { label: "Connecting", tone: "work", shape: "spin", icon: iconUrl("spin") },
  live: { label: "Live", tone: "ok", shape: "disc", icon: iconUrl("disc") },
  lost: { label: "No connection", tone: "warn", shape: "ring", icon: iconUrl("ring") },
};

/** @typedef {import("../app.js").App} App */

/** @param {App} app @param {import("./finder.js").Finder} finder */
export const topbar = (app, finder) => () => ({
  live: LIVE.connecting,
  fleet: /** @type {string|null} */ (null),
  settings: /** @type {string|null} */ (null),
  theme: THEMES.find((theme) => theme.name === recall("theme", "system")) ?? THEMES[0],
  init() {
    const show = () => {
      this.live = LIVE[app.status.state];
    };
    app.onStatus(show);
    show();
    addEventListener("theme", (event) => {
      this.theme = THEMES.find((theme) => theme.name === /** @type {CustomEvent} */ (event).detail) ?? THEMES[0];
    });
    app.router.listen(({ page }) => {
      if (!page) return; // something opened over the page
      this.fleet = page === "fleet" ? "page" : null;
      this.settings = page === "settings" ? "page" : null;
    });
  },
  find() {
    finder.toggle();
  },
  nextTheme() {
    const at = THEMES.findIndex((theme) => theme.name === this.theme.name);
    this.theme = THEMES[(at + 1) % THEMES.length];
    remember("theme", this.theme.name);
    applyTheme(this.theme.name);
  },
  logout() {
    void app.logout();
  },
});

/** @param {App} app @param {() => void} retry @param {(listener: () => void) => void} everySecond */
export const banner = (app, retry, everySecond) => () => ({
  lost: false,
  text: "",
  next: "",
  init() {
    app.onStatus(() => this.draw());
    this.draw();
    everySecond(() => this.draw());
  },
  draw() {
    const { status } = app;
    this.lost = status.state === "lost";
    if (status.state !== "lost") return;
    const wait = Math.max(0, status.retryAt - Date.now());
    this.text = `${NO_CONNECTION}: this is the fleet as of ${clock(status.since)}.`;
    this.next = wait < 500 ? "Trying again now." : `Trying again in ${span(wait)}.`; // not read out each second
  },
  retry,
});

/** `stays`: milliseconds, or until it is put away, another page opens, or the connection whose loss it tells of is back. */
const TOAST = {
  info: { tone: "work", icon: iconUrl("disc"), stays: 6000 },
  warning: { tone: "warn", icon: iconUrl("triangle"), stays: 12_000 },
  error: { tone: "bad", icon: iconUrl("cross"), stays: 0 },
  waiting: { tone: "warn", icon: iconUrl("ring"), stays: 0 }, // for the server
};
const TOASTS_MAX = 5;

/** @typedef {{id: number, title: string, detail: string, tone: string, icon: string, page: string, lost: boolean}} Toast */

/** @param {App} app */
export const toasts = (app) => () => ({
  toasts: /** @type {Toast[]} */ ([]),
  last: 0,
  init() {
    app.tell = ({ level, title, detail = "" }) => {
      const kind = TOAST[/** @type {keyof typeof TOAST} */ (level)] ?? TOAST.info;
      const id = (this.last += 1);
      const page = kind.stays ? "" : app.router.pageHash;
      const lost = !kind.stays && (app.status.state === "lost" || title === NO_CONNECTION);
      const others = this.toasts.filter((toast) => toast.title !== title || toast.detail !== detail); // the same again is one
      this.toasts = [...others, { id, title, detail, tone: kind.tone, icon: kind.icon, page, lost }].slice(-TOASTS_MAX);
      if (kind.stays) setTimeout(() => this.dismiss(id), kind.stays);
    };
    app.router.listen(() => this.keep(({ page }) => !page || page === app.router.pageHash));
    app.onStatus(() => app.live && this.keep(({ lost }) => !lost));
  },
  /** @param {(toast: Toast) => boolean} wanted */
  keep(wanted) {
    if (!this.toasts.every(wanted)) this.toasts = this.toasts.filter(wanted);
  },
  /** @param {number} id */
  dismiss(id) {
    this.keep((toast) => toast.id !== id);
  },
});

/** @param {App} app @param {HTMLDialogElement} dialog */
export const confirm = (app, dialog) => () => ({
  question: { title: "", text: "", confirm: "" },
  tone: "primary",
  answer: /** @type {(yes: boolean) => void} */ (() => {}),
  init() {
    app.ask = (question) => {
      this.question = question;
      this.tone = question.danger ? "danger" : "primary";
      dialog.returnValue = "";
      dialog.showModal();
      return new Promise((resolve) => {
        this.answer = resolve;
      });
    };
  },
  closed() {
    this.answer(dialog.returnValue === "yes");
  },
});
