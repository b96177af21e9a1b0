/** The dialog that adds a host: a way and a name, then the steps with a token in them, then the host itself. */

import { WAYS, isPlain, objection, wayOf } from "../core/add-host.js";
import { platformName, systemName } from "../core/words.js";
import { recall, remember } from "../shell/preferences.js";
import { hostPath } from "../shell/route.js";
import { copyText } from "../view/clipboard.js";

const NOTHING = { name: "", token: "", error: "", made: false, here: "", facts: "" };

/** @param {import("../app.js").App} app @param {HTMLDialogElement} dialog */
export const addHost = (app, dialog) => () => {
  /** @type {Set<string>} */
  let before = new Set();

  return {
    ...NOTHING,
    way: recall("add.way", "nixos"),
    repository: recall("add.repository", ""),
    branch: "main",
    busy: false,
    plain: isPlain(location),
    ways: /** @type {{id: string, label: string, tab: string, current: string, index: number}[]} */ ([]),
    steps: /** @type {{id: number, title: string, text: string, done: string}[]} */ ([]),

    init() {
      this.draw();
      app.router.listen(({ over }) => {
        if (over === "add" && !dialog.open) dialog.showModal(); // what was made the last time is still there
        if (over !== "add" && dialog.open) dialog.close();
      });
      app.onFleet((fleet) => this.look(fleet.hosts));
    },

    draw() {
      this.ways = WAYS.map(({ id, label }) => ({
        id,
        label,
        tab: `add-tab-${id}`,
        current: String(id === this.way),
        index: id === this.way ? 0 : -1,
      }));
      const given = { name: this.name, url: location.origin, token: this.token, repository: this.repository, branch: this.branch };
      this.steps = this.made ? wayOf(this.way).steps(given).map((step, id) => ({ id, ...step, done: "Copy" })) : [];
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
      return this.made && !this.here;
    },
    /** @returns {string} */
    get waitingFor() {
      return this.name ? `Waiting for ${this.name} to connect…` : "Waiting for the host to connect…";
    },

    /** @param {string} id */
    choose(id) {
      const same = wayOf(id).token === wayOf(this.way).token;
      if (this.made && !same) Object.assign(this, NOTHING, { name: this.name }); // that token is of no use for this way
      this.way = id;
      this.error = "";
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
      this.name = this.name.trim();
      this.error = objection(this.name, app.fleet.hosts, wayOf(this.way));
      if (this.error) return;
      this.busy = true;
      before = new Set(app.fleet.hosts.keys());
      try {
        this.token = this.nameless ? await this.enrolling() : await this.adding();
        this.made = true;
        remember("add.repository", this.repository);
        this.draw();
      } catch (problem) {
        const { title, detail } = /** @type {import("../shell/api.js").Refused} */ (problem);
        this.error = [title, detail].filter(Boolean).join(": ") || String(problem);
      } finally {
        this.busy = false;
      }
    },

    async adding() {
      return (await app.api.send("POST", "/hosts", { host_id: this.name })).token;
    },
    async enrolling() {
      return (await app.api.send("POST", "/enroll-tokens", this.name ? { host: this.name } : {})).token;
    },

    /** Whether it is here. @param {import("../core/types.js").Fleet["hosts"]} hosts */
    look(hosts) {
      if (!this.waiting) return;
      const host = this.name ? hosts.get(this.name) : [...hosts.values()].find((one) => !before.has(one.host_id));
      if (!host?.connected) return;
      this.here = host.host_id;
      this.facts = [systemName(host), platformName(host), host.agent_version && `agent ${host.agent_version}`].filter(Boolean).join(" · ");
    },

    /** @param {{id: number, text: string}} step */
    async copy({ id, text }) {
      const done = (await copyText(text)) ? "Copied" : "Select it and copy";
      this.steps = this.steps.map((step) => ({ ...step, done: step.id === id ? done : "Copy" }));
    },

    open() {
      const { here } = this;
      this.again();
      app.router.go(hostPath(here));
    },
    again() {
      Object.assign(this, NOTHING);
      this.draw();
      setTimeout(() => document.getElementById("add-name")?.focus());
    },
    closed() {
      if (this.here) Object.assign(this, NOTHING);
      this.draw();
      app.close();
    },
  };
};
