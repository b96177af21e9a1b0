/** The dialog that adds a host: a way and a name, then the steps with a token in them, then the host itself. */

import { WAYS, isPlain, objection, wayOf } from "../core/add-host.js";
import { platformName, systemName } from "../core/words.js";
import { recall, remember } from "../shell/preferences.js";
import { hostPath } from "../shell/route.js";
import { copyText } from "../view/clipboard.js";

/** `taken`: the page of the host that has the name already; `before`: the hosts there were when its token was made. */
const NOTHING = { name: "", token: "", error: "", taken: "", made: false, here: "", facts: "", before: /** @type {ReadonlySet<string>} */ (new Set()) };

/** @typedef {typeof NOTHING} Made */

/** @param {import("../app.js").App} app @param {HTMLDialogElement} dialog */
export const addHost = (app, dialog) => () => ({
  way: recall("add.way", "nixos"),
  repository: recall("add.repository", ""),
  branch: "main",
  busy: false,
  plain: isPlain(location),
  /** What was made, by kind of token: each is shown once, so a look at another way must not lose it. */
  kinds: { host: { ...NOTHING }, enroll: { ...NOTHING } },
  ways: /** @type {{id: string, label: string, tab: string, current: string, index: number}[]} */ ([]),
  steps: /** @type {{id: number, title: string, text: string, done: string}[]} */ ([]),

  init() {
    this.draw();
    app.router.listen(({ over }) => {
      if (over === "add" && !dialog.open) dialog.showModal(); // what was made the last time is still there
      if (over !== "add" && dialog.open) dialog.close();
    });
    app.onFleet((fleet) => Object.values(this.kinds).forEach((one) => this.look(one, fleet.hosts)));
  },

  draw() {
    this.ways = WAYS.map(({ id, label }) => ({
      id,
      label,
      tab: `add-tab-${id}`,
      current: String(id === this.way),
      index: id === this.way ? 0 : -1,
    }));
    const { name, token, made } = this.now;
    const given = { name, token, url: location.origin, repository: this.repository, branch: this.branch };
    this.steps = made ? wayOf(this.way).steps(given).map((step, id) => ({ id, ...step, done: "Copy" })) : [];
  },

  /** Of the way that is looked at. @returns {Made} */
  get now() {
    return this.kinds[wayOf(this.way).token];
  },
  /** @returns {string} */
  get tab() {
    return `add-tab-${this.way}`;
  },
  /** @returns {boolean} */
  get nameless() {
    return wayOf(this.way).token === "enroll";
  },
  /** @returns {boolean} */
  get wantsRepository() {
    return wayOf(this.way).token === "host";
  },
  /** @returns {boolean} */
  get waiting() {
    return this.now.made && !this.now.here;
  },
  /** @returns {string} */
  get waitingFor() {
    return this.now.name ? `Waiting for ${this.now.name} to connect…` : "Waiting for the host to connect…";
  },

  /** @param {string} id */
  choose(id) {
    const { name, made } = this.now;
    this.way = id;
    const { now } = this;
    if (!now.made && !made) now.name = name; // typed, and not used yet
    else if (!now.made && now.name === name) now.name = ""; // used meanwhile
    Object.assign(now, { error: "", taken: "" });
    remember("add.way", id);
    this.draw();
  },

  /** Arrows go from tab to tab. @param {KeyboardEvent} event */
  turn(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const at = WAYS.findIndex((way) => way.id === this.way);
    this.choose(WAYS[(at + step + WAYS.length) % WAYS.length].id);
    setTimeout(() => /** @type {HTMLElement|null} */ (dialog.querySelector('[role="tab"][aria-selected="true"]'))?.focus());
  },

  async make() {
    if (this.busy) return;
    const { now, way } = this; // another may be looked at when the answer comes
    now.name = now.name.trim();
    now.error = objection(now.name, app.fleet.hosts, wayOf(way));
    now.taken = app.fleet.hosts.has(now.name) ? hostPath(now.name) : "";
    if (now.error) return;
    this.busy = true;
    now.before = new Set(app.fleet.hosts.keys());
    try {
      now.token = wayOf(way).token === "host" ? await this.adding(now.name) : await this.enrolling(now.name);
      now.made = true;
      remember("add.repository", this.repository);
      this.draw();
    } catch (problem) {
      const { title, detail } = /** @type {import("../shell/api.js").Refused} */ (problem);
      now.error = [title, detail].filter(Boolean).join(": ") || String(problem);
    } finally {
      this.busy = false;
    }
  },

  /** @param {string} name @returns {Promise<string>} its token */
  async adding(name) {
    return (await app.api.send("POST", "/hosts", { host_id: name })).token;
  },
  /** @param {string} name may be empty @returns {Promise<string>} */
  async enrolling(name) {
    return (await app.api.send("POST", "/enroll-tokens", name ? { host: name } : {})).token;
  },

  /** Whether it is here. @param {Made} one @param {import("../core/types.js").Fleet["hosts"]} hosts */
  look(one, hosts) {
    if (!one.made || one.here) return;
    const host = one.name ? hosts.get(one.name) : [...hosts.values()].find(({ host_id: id }) => !one.before.has(id));
    if (!host?.connected) return;
    one.here = host.host_id;
    one.facts = [systemName(host), platformName(host), host.agent_version && `agent ${host.agent_version}`].filter(Boolean).join(" · ");
  },

  /** @param {{id: number, text: string}} step */
  async copy({ id, text }) {
    const done = (await copyText(text)) ? "Copied" : "Select it and copy";
    this.steps = this.steps.map((step) => ({ ...step, done: step.id === id ? done : "Copy" }));
  },

  open() {
    const { here } = this.now;
    this.again();
    app.router.go(hostPath(here));
  },
  again() {
    Object.assign(this.now, NOTHING);
    this.draw();
    setTimeout(() => document.getElementById("add-name")?.focus());
  },
  closed() {
    for (const one of Object.values(this.kinds)) if (one.here) Object.assign(one, NOTHING);
    this.draw();
    app.close();
  },
});
