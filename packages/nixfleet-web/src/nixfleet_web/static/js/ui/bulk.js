/** One command on many hosts: asks once, with the hosts, the consequence, how many at a time, and whether to go on after a failure. */

import { ACTIONS, absence, canWait, patience, QUEUED, questionForMany, questionLater, whenOf, whyNot } from "../core/actions.js";
import { plural } from "../core/format.js";
import { NO_CONNECTION, commandName } from "../core/words.js";
import { Refused } from "../shell/api.js";
import { runPath } from "../shell/route.js";
import { byId } from "../view/dom.js";
import { offer } from "../view/host-buttons.js";
import { BulkFollow } from "./bulk-follow.js";

/** @typedef {import("../core/actions.js").Action} Action @typedef {import("../core/types.js").Host} Host */

const NAMED = 5;

export class Bulk {
  /** @type {(action: Action, ids: string[]) => void} */ ask = () => {};
}

/** Why each is left out, with its name. @param {{host: Host, why: string}[]} some */
function leftOut(some) {
  const named = some.slice(0, NAMED).map(({ host: { host_id: id }, why }) => (why.startsWith(`${id} `) ? why : `${id}: ${why}`));
  const more = some.length > NAMED ? `; and ${some.length - NAMED} more` : "";
  return some.length ? `Left out: ${named.join("; ")}${more}.` : "";
}

/** @param {import("../app.js").App} app @param {Bulk} bulk @param {() => void} done called once all is under way */
export const bulkDialog = (app, bulk, done) => () => {
  const dialog = byId("bulk", HTMLDialogElement);
  const follow = new BulkFollow(app);
  /** @type {Action|null} */
  let action = null;
  /** @type {{host: Host, why: string, away: boolean}[]} */
  let asked = [];

  return {
    title: "",
    text: "",
    confirm: "",
    tone: "primary",
    hosts: /** @type {{name: string, high: boolean, hidden: boolean}[]} */ ([]),
    more: "",
    hidden: "",
    left: "",
    absent: 0,
    queue: false,
    concurrency: "0",
    careful: false,
    possible: false,
    nobody: false,

    init() {
      bulk.ask = (wanted, ids) => this.open(wanted, ids);
      offer((host, live) =>
        ACTIONS.filter((one) => one.main && canWait(one, host, app.fleet.serverVersion)).map((one) => ({
          label: `${commandName(one.command)} ${whenOf(host)}`,
          icon: one.icon,
          why: live ? "" : NO_CONNECTION,
          run: () => void this.later(one, host),
        })),
      );
    },

    /** @param {Action} wanted @param {string[]} ids */
    open(wanted, ids) {
      action = wanted;
      const version = app.fleet.serverVersion;
      asked = ids
        .flatMap((id) => app.fleet.hosts.get(id) ?? [])
        .map((host) => ({ host, why: whyNot(wanted, host, app.live) || absence(host), away: !host.connected && canWait(wanted, host, version) }));
      this.absent = app.live ? asked.filter(({ away }) => away).length : 0;
      this.possible = this.absent > 0 || asked.some(({ why }) => !why);
      this.queue = false;
      this.careful = Boolean(wanted.harm) && asked.filter(({ why }) => !why).length > 1;
      this.concurrency = "0";
      this.draw();
      dialog.returnValue = "";
      dialog.showModal();
    },

    /** Of whom it is asked. */
    chosen() {
      return asked.filter(({ why, away }) => !why || (away && this.queue)).map(({ host }) => host);
    },

    draw() {
      if (!action) return;
      const rows = byId("host-list", HTMLDivElement); // what the filter hides has none
      const chosen = this.chosen();
      const question = questionForMany(action, chosen, (id) => !rows.querySelector(`[data-host="${CSS.escape(id)}"]`));
      Object.assign(this, question, { tone: question.danger ? "danger" : "primary", nobody: chosen.length === 0 });
      this.left = leftOut(asked.filter(({ host }) => !chosen.includes(host)));
    },

    closed() {
      if (dialog.returnValue !== "yes" || !action) return;
      const hosts = this.chosen().map((host) => host.host_id);
      const options = this.queue ? QUEUED : {};
      void this.start(action, { hosts, command: action.command, options, concurrency: Number(this.concurrency), stop_on_failure: this.careful });
    },

    /** @param {Action} wanted @param {{hosts: string[], command: string, options: object, concurrency: number, stop_on_failure: boolean}} request */
    async start(wanted, request) {
      if (!request.hosts.length) return;
      try {
        const { bulk_id: id = "", items } = await app.api.send("POST", "/runs", request);
        this.report(wanted, (items ?? []).map((/** @type {any} */ item) => item.detail || item.problem || "").filter(Boolean), request.hosts.length);
        if (id) await follow.follow(id);
        this.finish(id);
      } catch (problem) {
        if (problem instanceof Refused && problem.code === "too_old") return this.oneByOne(wanted, request.hosts);
        app.fail(problem);
      }
    },

    /** A server that knows no such request is asked for each host. @param {Action} wanted @param {string[]} hosts */
    async oneByOne(wanted, hosts) {
      const asked = await Promise.allSettled(hosts.map((host) => app.api.start(host, wanted.command)));
      const refused = asked.flatMap((one) => (one.status === "rejected" ? [String(one.reason?.message ?? one.reason)] : []));
      this.report(wanted, refused, hosts.length, "All at once: this server can't take them in turn yet. ");
      this.finish("");
    },

    /** The selection's bar goes, and with it the button that had the focus. @param {string} id of what is under way */
    finish(id) {
      const lost = document.activeElement === document.body || document.activeElement?.closest(".selection");
      done();
      if (lost && !follow.focus(id)) byId("page-title", HTMLHeadingElement).focus({ preventScroll: true });
    },

    /** One host that is away or at work gets it for later. @param {Action} wanted @param {Host} host */
    async later(wanted, host) {
      const question = questionLater(wanted, host);
      if (question && !(await app.ask(question))) return;
      try {
        const run = await app.api.start(host.host_id, wanted.command, QUEUED);
        if (run.state === "queued") app.tell({ level: "info", title: `${commandName(wanted.command)} on ${host.host_id} is queued`, detail: patience(host) });
        app.router.go(runPath(run.run_id));
      } catch (problem) {
        app.fail(problem);
      }
    },

    /** @param {Action} wanted @param {string[]} refused @param {number} count @param {string} [note] */
    report(wanted, refused, count, note = "") {
      const title = `${commandName(wanted.command)} on ${plural(count - refused.length, "host")}`;
      if (!refused.length) return app.tell({ level: "info", title, detail: note });
      const more = refused.length > NAMED ? `; and ${refused.length - NAMED} more` : "";
      app.tell({ level: "warning", title, detail: `${note}Refused: ${refused.slice(0, NAMED).join("; ")}${more}` });
    },
  };
};
