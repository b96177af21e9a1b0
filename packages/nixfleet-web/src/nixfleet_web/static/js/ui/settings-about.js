/** Settings: theme and keys; versions of all parts, agents that are behind, the backup. */

import { behind, size } from "../core/access-view.js";
import { moment, span } from "../core/format.js";
import { applyTheme, recall, remember } from "../shell/preferences.js";
import { webVersion } from "./fresh.js";
import { partBase } from "./settings.js";

/** @param {import("../shell/keys.js").Keys} keys */
export const look = (keys) => () => ({
  theme: recall("theme", "system"),
  single: keys.single,
  init() {
    addEventListener("settings", () => {
      this.theme = recall("theme", "system");
      this.single = keys.single;
    });
  },
  /** @param {Event} event */
  choose(event) {
    this.theme = /** @type {HTMLInputElement} */ (event.target).value;
    remember("theme", this.theme);
    applyTheme(this.theme);
    dispatchEvent(new CustomEvent("theme", { detail: this.theme }));
  },
  /** @param {string} name */
  themed(name) {
    return this.theme === name;
  },
  toggle() {
    keys.single = this.single = !this.single;
  },
});

/** @param {import("../app.js").App} app */
export const about = (app) => () => ({
  ...partBase(app),
  facts: /** @type {{label: string, text: string}[]} */ ([]),
  old: /** @type {{name: string, version: string, why: string}[]} */ ([]),
  newest: "",
  init() {
    this.whenOpen("about", () => void this.load());
  },
  async load() {
    const now = app.now();
    const page = await webVersion();
    this.facts = [
      { label: "Server", text: app.fleet.serverVersion },
      { label: "This page", text: page || "unknown" },
    ];
    this.judge("");
    await this.get("/about", (known) => {
      this.judge(known.protocol);
      this.facts = [
        { label: "Server", text: known.server_version },
        { label: "This page", text: page || known.web_version },
        { label: "Protocol", text: known.protocol },
        { label: "Python", text: known.python },
        { label: "Database", text: known.database },
        { label: "Up for", text: `${span(known.uptime * 1000)}, since ${moment(known.started_at, now)}` },
        { label: "Data", text: `${size(known.data_bytes ?? 0)}, ${size(known.free_bytes ?? 0)} free` },
      ];
    });
  },
  /** @param {string} protocol */
  judge(protocol) {
    const { hosts, newest } = behind([...app.fleet.hosts.values()], protocol);
    this.old = hosts;
    this.newest = newest;
  },
  /** @returns {boolean} */
  get allNew() {
    return this.old.length === 0;
  },
  /** @returns {string} */
  get newestWords() {
    return this.newest ? `All agents are as new as the newest here, ${this.newest}.` : "No agent has connected yet.";
  },
});
