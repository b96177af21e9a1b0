/** One host's page: what it is and does, its load over the day, its generations and runs. */

import { actionOf, whyNot, whyNotCompare } from "../core/actions.js";
import { chips } from "../core/build.js";
import { ago } from "../core/format.js";
import { factsOf, generationsOf, stripOf } from "../core/host-facts.js";
import { historyView } from "../core/run-view.js";
import { presenceWord } from "../core/words.js";
import { Refused } from "../shell/api.js";
import { runPath } from "../shell/route.js";
import { showDifference } from "../view/difference.js";
import { byId, iconUrl } from "../view/dom.js";
import { HostCharts } from "../view/host-charts.js";
import { HostButtons } from "../view/host-buttons.js";

/** @typedef {import("../core/types.js").Run} Run */

const RUNS = 30;
const LOAD_AGAIN = 60; // seconds between two looks at the history of the load

/**
 * @param {import("../app.js").App} app
 * @param {import("./pages.js").Pages} pages
 * @param {(listener: () => void) => void} everySecond
 * @param {import("../view/host-buttons.js").Hands} hands
 */
export const hostPage = (app, pages, everySecond, hands) => () => {
  const charts = new HostCharts(app.api);
  /** @type {Run[]} */
  let runs = [];
  /** @type {HostButtons|null} */
  let buttons = null;
  let seconds = 0;
  let asked = app.status.state !== "connecting"; // on an earlier connection

  return {
    hostId: "",
    there: false,
    missing: false,
    presence: { label: "", tone: "idle", icon: iconUrl("ring") },
    seen: "",
    tags: /** @type {object[]} */ ([]),
    facts: /** @type {object[]} */ ([]),
    generations: /** @type {object[]} */ ([]),
    strip: /** @type {object[]} */ ([]),
    stripFrom: "",
    runs: /** @type {object[]} */ ([]),
    none: false,
    charted: "",

    init() {
      pages.on("host", {
        enter: ({ host }) => void this.show(host ?? ""),
        leave: () => {
          this.hostId = "";
        },
      });
      app.onFleet((fleet, before) => {
        if (!this.hostId) return;
        if (fleet.runs !== before.runs) this.take(fleet.runs);
        this.draw();
      });
      app.onStatus(() => {
        this.draw();
        if (!app.live) return;
        if (asked && this.hostId) void Promise.all([this.load(this.hostId), this.chart(this.hostId)]); // a new connection
        asked = true;
      });
      everySecond(() => {
        if (!this.hostId) return;
        this.tick();
        seconds += 1;
        if (seconds % LOAD_AGAIN === 0) void this.chart(this.hostId);
      });
    },

    /** @param {string} hostId */
    async show(hostId) {
      if (hostId === this.hostId) return;
      this.hostId = hostId;
      runs = [];
      buttons = null;
      for (const box of ["host-main", "host-extra"]) byId(box, HTMLDivElement).replaceChildren();
      dispatchEvent(new CustomEvent("nixfleet:host", { detail: hostId }));
      this.draw();
      this.drawRuns();
      await Promise.all([this.load(hostId), this.chart(hostId)]);
    },

    /** @param {string} hostId */
    async load(hostId) {
      try {
        const loaded = await app.api.runs(hostId, RUNS);
        if (this.hostId !== hostId) return;
        runs = loaded.map((run) => app.fleet.runs.get(run.run_id) ?? run);
        this.drawRuns();
        this.draw();
      } catch (problem) {
        const gone = problem instanceof Refused && problem.code === "no_such_host"; // the page says so
        if (this.hostId === hostId && !gone) app.fail(problem);
      }
    },

    /** @param {string} hostId */
    async chart(hostId) {
      const said = await charts.load(hostId);
      if (this.hostId === hostId) this.charted = said;
    },

    /** @param {Map<string, Run>} heard */
    take(heard) {
      let changed = false;
      for (const run of heard.values()) {
        if (run.host_id !== this.hostId) continue;
        const at = runs.findIndex((one) => one.run_id === run.run_id);
        if (at >= 0 && runs[at] === run) continue;
        runs = at < 0 ? [run, ...runs].slice(0, RUNS) : runs.map((one) => (one.run_id === run.run_id ? run : one));
        changed = true;
      }
      if (changed) this.drawRuns();
    },

    draw() {
      const host = app.fleet.hosts.get(this.hostId);
      this.there = Boolean(host);
      this.missing = !host && app.fleet.synced && this.hostId !== "";
      if (!host) return;
      const word = presenceWord(host.presence);
      this.presence = { label: word.label, tone: word.tone, icon: iconUrl(word.shape) };
      const criticality = host.criticality === "medium" ? [] : [{ label: `${host.criticality} criticality`, tone: "idle", icon: iconUrl("triangle"), title: "" }];
      this.tags = [...criticality, ...chips(host.facts, app.now()).map((chip) => ({ ...chip, icon: iconUrl(chip.shape) }))];
      buttons ??= new HostButtons({ "main-actions": byId("host-main", HTMLDivElement), "extra-actions": byId("host-extra", HTMLDivElement) }, host.host_id, hands);
      buttons.draw(host, app.live);
      const why = whyNot(actionOf("rollback"), host, app.live);
      const whyNoCompare = whyNotCompare(host, app.live);
      const generations = generationsOf(host, runs, app.now()).map((one) => ({
        ...one,
        disabled: String(Boolean(why)),
        why,
        label: `Roll back to generation ${one.number}`,
        compare: { disabled: String(Boolean(whyNoCompare)), why: whyNoCompare, label: `Compare generation ${one.number} with what runs` },
      }));
      if (JSON.stringify(generations) !== JSON.stringify(this.generations)) this.generations = generations;
      this.tick();
    },

    tick() {
      const host = app.fleet.hosts.get(this.hostId);
      if (!host) return;
      const now = app.now();
      this.seen = host.last_seen_at === null ? "" : `heard ${ago(host.last_seen_at, now)}`;
      const facts = factsOf(host, now);
      if (JSON.stringify(facts) !== JSON.stringify(this.facts)) this.facts = facts;
    },

    drawRuns() {
      const now = app.now();
      this.none = runs.length === 0;
      this.runs = runs.map((run) => {
        const view = historyView(run, now);
        return { ...view, icon: iconUrl(view.shape), href: runPath(run.run_id), message: run.message };
      });
      this.strip = stripOf(runs, now).map((one) => ({ ...one, href: runPath(one.id), icon: iconUrl(one.shape) }));
      this.stripFrom = runs.length ? ago(runs[runs.length - 1].created_at, now) : "";
    },

    difference: showDifference,

    /** Left and right go along the strip, whose first is on the right. @param {KeyboardEvent} event */
    along(event) {
      const step = { ArrowLeft: "nextElementSibling", ArrowRight: "previousElementSibling" }[event.key];
      const item = /** @type {HTMLElement} */ (event.target).closest("li");
      if (!step || !item) return;
      event.preventDefault();
      /** @type {any} */ (item)[step]?.querySelector?.("a")?.focus();
    },

    /** @param {number} generation @param {Event} event */
    rollback(generation, event) {
      this.act("rollback", generation, event);
    },
    /** @param {number} generation @param {Event} event */
    compare(generation, event) {
      this.act("check", generation, event);
    },
    /** @param {string} command @param {number} generation @param {Event} event */
    act(command, generation, event) {
      const host = app.fleet.hosts.get(this.hostId);
      const button = /** @type {HTMLElement} */ (event.currentTarget);
      if (host && button.getAttribute("aria-disabled") !== "true") void app.act(host, actionOf(command), button, { generation });
    },
  };
};
