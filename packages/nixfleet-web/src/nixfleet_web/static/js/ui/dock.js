/** The dock: which host and run are open, the host's history, the run's outcome, its log. */

import { NO_RUN, historyView, runView } from "../core/run-view.js";
import { downloadUrl } from "../shell/api.js";
import { logSource } from "../shell/log-source.js";
import { runPath } from "../shell/route.js";
import { showDifference } from "../view/difference.js";
import { byId, iconUrl } from "../view/dom.js";
import { runActs } from "./run-acts.js";

/** @typedef {import("../core/types.js").Run} Run */

const NARROW = "(max-width: 900px)";
const HISTORY = 30;

/**
 * @param {import("../app.js").App} app
 * @param {import("../shell/connection.js").Connection} connection
 * @param {import("../view/log-view.js").LogView} log
 * @param {(listener: () => void) => void} everySecond
 * @param {(hostId: string|null) => void} onHost the host whose runs are shown, null when none
 */
export const dock = (app, connection, log, everySecond, onHost) => () => {
  // What the page need not watch for changes stays out of the reactive object.
  /** @type {Run|null} */
  let current = null;
  /** @type {Run[]} */
  let runs = [];
  let followed = "";
  /** @type {import("../shell/route.js").Route} */
  let wanted = app.router.route;
  let missed = false;
  /** @type {Element|null} */
  let opener = null;

  return {
    ...runActs(app, () => current),
    difference: showDifference,
    open: false,
    expanded: false,
    hostName: "",
    noHistory: false,
    run: { ...NO_RUN, steps: /** @type {object[]} */ ([]), icon: iconUrl(NO_RUN.shape) },
    history: /** @type {object[]} */ ([]),

    init() {
      log.addEventListener("tell", (event) => app.tell({ level: "info", title: /** @type {CustomEvent} */ (event).detail }));
      app.onFleet((fleet, before) => this.onFleet(fleet, before));
      everySecond(() => {
        if (this.open && current && current.state !== "ended") this.drawRun();
      });
      app.onStatus(() => {
        if (app.live) log.retry();
        if (app.live && missed) void this.go(wanted);
      });
      app.router.listen((route) => void this.go(route));
    },

    /** @param {import("../shell/route.js").Route} route */
    async go(route) {
      wanted = route;
      missed = false;
      if (!route.run) return this.shut();
      try {
        await this.openRun(route.run, route);
      } catch (problem) {
        if (wanted !== route) return;
        missed = true; // tried again with the next connection
        app.fail(problem);
      }
    },

    /** @param {string} runId @param {import("../shell/route.js").Route} route */
    async openRun(runId, route) {
      if (runId === followed) return this.look(route);
      const known = app.run(runId) ?? runs.find((one) => one.run_id === runId);
      // How long the log is by now is known only of a run that has ended.
      const run = known?.state === "ended" ? known : await app.api.run(runId);
      if (wanted !== route) return;
      this.showRun(run);
      await this.loadHistory(run.host_id);
    },

    /** @param {import("../shell/route.js").Route} route */
    look({ line }) {
      if (line) log.goTo(line);
    },

    /** @param {Run} run */
    showRun(run) {
      current = run;
      this.setOpen(true);
      this.hostName = run.host_id;
      onHost(run.host_id);
      if (followed !== run.run_id) {
        this.unfollow();
        followed = run.run_id;
        const kept = run.log_removed_at === null;
        const from = log.begin("Waiting for output…", {
          source: logSource(app.api, run.run_id),
          total: kept ? run.lines : 0,
          line: wanted.line,
          title: `${runView(run, app.now()).title}, ${new Date(run.created_at).toLocaleString()}`,
          download: kept ? downloadUrl(run.run_id) : "",
          href: (seq) => runPath(run.run_id, seq),
        });
        if (kept) connection.follow(run.run_id, from);
      }
      this.drawRun();
    },

    /** @param {string} hostId @returns {Promise<Run[]>} */
    async loadHistory(hostId) {
      this.setOpen(true);
      if (this.hostName !== hostId) this.history = runs = [];
      this.hostName = hostId;
      onHost(hostId);
      const loaded = await app.api.runs(hostId, HISTORY);
      if (this.hostName === hostId) {
        runs = loaded.map((run) => app.fleet.runs.get(run.run_id) ?? run);
        this.drawHistory();
      }
      return runs;
    },

    /** @param {import("../core/types.js").Fleet} fleet @param {import("../core/types.js").Fleet} before */
    onFleet(fleet, before) {
      if (!this.open || fleet.runs === before.runs) return;
      if (before.synced && fleet.runs.size === 0) void this.loadHistory(this.hostName).catch(() => {}); // a new connection
      let changed = false;
      for (const run of fleet.runs.values()) {
        if (run.host_id !== this.hostName || before.runs.get(run.run_id) === run) continue;
        changed = true;
        const at = runs.findIndex((one) => one.run_id === run.run_id);
        runs = at < 0 ? [run, ...runs].slice(0, HISTORY) : runs.with(at, run);
        if (run.run_id === followed) current = run;
      }
      if (!changed) return;
      this.drawHistory();
      this.drawRun();
    },

    drawRun() {
      if (!current) return;
      const view = runView(current, app.now(), runs);
      const steps = view.steps.map((step) => ({ ...step, icon: iconUrl(step.shape) }));
      this.run = { ...view, steps, icon: iconUrl(view.shape) };
      log.say(view.empty);
      if (view.ended) log.end();
    },

    drawHistory() {
      const now = app.now();
      this.noHistory = runs.length === 0;
      this.history = runs.map((run) => {
        const view = historyView(run, now);
        return {
          ...view,
          icon: iconUrl(view.shape),
          href: runPath(run.run_id),
          current: run.run_id === followed ? "true" : null,
        };
      });
    },

    /** Where the dock covers the page, the page behind it is out of reach and gets the focus back. @param {boolean} open */
    setOpen(open) {
      if (this.open === open) return;
      this.open = open;
      const covers = open && matchMedia(NARROW).matches;
      const main = byId("main", HTMLElement);
      if (covers) {
        opener = document.activeElement;
        setTimeout(() => byId("run-title", HTMLHeadingElement).focus()); // once it is shown
      }
      main.inert = covers;
      if (!open && opener instanceof HTMLElement) opener.focus();
      if (!open) opener = null;
    },

    unfollow() {
      if (followed) connection.unfollow(followed);
      followed = "";
    },

    shut() {
      this.unfollow();
      current = null;
      runs = [];
      this.history = [];
      this.hostName = "";
      this.setOpen(false);
      onHost(null);
    },

    close() {
      app.close();
    },
    escape() {
      if (this.open && !document.querySelector("dialog[open]")) app.close();
    },
    toggleExpanded() {
      this.expanded = !this.expanded;
    },
  };
};
