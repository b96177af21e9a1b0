/** The dock: which host and run are open, the host's history, the run's outcome, its log. */

import { stamp } from "../core/format.js";
import { NO_RUN, historyView, runView } from "../core/run-view.js";
import { Refused, downloadUrl } from "../shell/api.js";
import { logSource } from "../shell/log-source.js";
import { runPath } from "../shell/route.js";
import { showDifference } from "../view/difference.js";
import { byId, iconUrl } from "../view/dom.js";
import { runActs } from "./run-acts.js";

/** @typedef {import("../core/types.js").Run} Run */

const HISTORY = 30;
const OFTEN = 250; // milliseconds between two looks at how many lines came

/** What stands in place of a run. @type {Record<string, {title: string, text: string}>} */
const ABSENT = {
  no_such_run: { title: "There is no run at this address", text: "It was removed, or the address is not right." },
  no_connection: { title: "This run can't be shown now", text: "It comes when the server is back." },
};
const HERE = { title: "", text: "" };

/**
 * @typedef {object} Ties
 * @property {import("../app.js").App} app
 * @property {import("../shell/connection.js").Connection} connection
 * @property {import("../view/log-view.js").LogView} log
 * @property {import("./run-pane.js").RunPane} pane
 * @property {import("../shell/keys.js").Keys} keys
 * @property {(listener: () => void) => void} everySecond
 * @property {(hostId: string|null) => void} onHost the host whose runs are shown, null when none
 */

/** @param {Ties} ties */
export const dock = ({ app, connection, log, pane, keys, everySecond, onHost }) => () => {
  // What the page need not watch for changes stays out of the reactive object.
  /** @type {Run|null} */
  let current = null;
  /** @type {Run[]} */
  let runs = [];
  let followed = "";
  /** @type {import("../shell/route.js").Route} */
  let wanted = app.router.route;
  let missed = false;
  /** @type {ReturnType<typeof setTimeout>|null} */
  let soon = null;
  /** When it was last heard how things go on here, by the server's clock; null: just now. */
  const since = () => {
    if (app.status.state === "lost") return app.status.since + app.fleet.clockOffset;
    const host = app.fleet.hosts.get(current?.host_id ?? "");
    return host?.presence === "unreachable" ? host.last_seen_at : null;
  };

  return {
    ...runActs(app, () => current),
    difference: showDifference,
    open: false,
    expanded: false,
    hostName: "",
    noHistory: false,
    absent: HERE,
    run: { ...NO_RUN, steps: /** @type {object[]} */ ([]), icon: iconUrl(NO_RUN.shape) },
    history: /** @type {object[]} */ ([]),

    init() {
      log.addEventListener("tell", (event) => app.tell({ level: "info", title: /** @type {CustomEvent} */ (event).detail }));
      app.onFleet((fleet, before) => this.onFleet(fleet, before));
      everySecond(() => {
        if (this.open && current && current.state !== "ended") this.drawRun();
      });
      pane.onHeard = () => {
        if (current?.state !== "ended") soon ??= setTimeout(() => ((soon = null), this.drawRun()), OFTEN);
      };
      app.onStatus(() => {
        this.drawRun();
        this.drawHistory();
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
        const absent = problem instanceof Refused ? ABSENT[problem.code] : undefined;
        if (!absent || followed === route.run) return app.fail(problem);
        this.clear(); // not the run that was open before, under this address
        this.absent = absent;
        this.setOpen(true);
      }
    },

    /** @param {string} runId @param {import("../shell/route.js").Route} route */
    async openRun(runId, route) {
      if (runId === followed) return this.look(route);
      // What hosts bring of their last run lacks the failures, which would push the log down once they came.
      const heard = app.fleet.runs.get(runId) ?? runs.find((one) => one.run_id === runId);
      // How long the log is by now is known only of a run that has ended.
      const run = heard?.state === "ended" ? heard : await app.api.run(runId);
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
      this.absent = HERE;
      this.setOpen(true);
      if (this.hostName !== run.host_id) runs = [run]; // the others come later, and move nothing
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
          title: `${runView(run, app.now()).title}, ${stamp(run.created_at)}`,
          download: kept ? downloadUrl(run.run_id) : "",
          href: (seq) => runPath(run.run_id, seq),
        });
        if (kept) connection.follow(run.run_id, from);
      }
      this.drawHistory();
      this.drawRun();
    },

    /** @param {string} hostId @returns {Promise<Run[]>} */
    async loadHistory(hostId) {
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
      const { runId, lines } = pane.heard;
      const heard = runId === current.run_id ? lines : 0;
      const view = runView(current, app.now(), runs, { live: app.status.state !== "lost", since: since(), heard });
      const steps = view.steps.map((step) => ({ ...step, icon: iconUrl(step.shape) }));
      this.run = { ...view, steps, icon: iconUrl(view.shape) };
      log.say(view.empty);
      if (view.ended) log.end();
    },

    drawHistory() {
      const now = app.now();
      this.noHistory = runs.length === 0;
      this.history = runs.map((run) => {
        const view = historyView(run, now, since() === null);
        return {
          ...view,
          icon: iconUrl(view.shape),
          href: runPath(run.run_id),
          current: run.run_id === followed ? "true" : null,
        };
      });
    },

    /** @param {boolean} open */
    setOpen(open) {
      this.open = open;
      if (open) pane.focus.open();
      else pane.focus.close();
    },

    unfollow() {
      if (followed) connection.unfollow(followed);
      followed = "";
    },

    clear() {
      this.unfollow();
      current = null;
      runs = [];
      this.history = [];
      this.hostName = "";
      onHost(null);
    },
    shut() {
      this.clear();
      this.setOpen(false);
    },

    /** From its name in the list of many to what it printed. @param {string} id */
    toFailure(id) {
      const failure = byId(id, HTMLDetailsElement);
      failure.open = true;
      failure.querySelector("summary")?.focus(); // and into view
    },

    /** The letters of the log are keys in all of the pane. @param {KeyboardEvent} event */
    letter(event) {
      const { key, target, ctrlKey, metaKey, altKey } = event;
      if (key.length !== 1 || ctrlKey || metaKey || altKey || !keys.single || log.contains(/** @type {Node} */ (target))) return;
      if (!log.dispatchEvent(new KeyboardEvent("keydown", { key, cancelable: true }))) event.preventDefault();
    },

    close() {
      app.close();
    },
    escape() {
      if (this.open && !document.querySelector("dialog[open]")) app.close();
    },
    toggleExpanded() {
      this.expanded = !this.expanded;
      pane.focus.expand(this.expanded);
    },
  };
};
