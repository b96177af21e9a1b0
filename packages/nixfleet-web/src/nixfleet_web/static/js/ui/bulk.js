/** One command on many hosts: asks once, with the consequence, how many at a time, and whether to go on after a failure. */

import { questionForMany, whyNot } from "../core/actions.js";
import { plural } from "../core/format.js";
import { commandName } from "../core/words.js";
import { Refused } from "../shell/api.js";
import { byId } from "../view/dom.js";

/** @typedef {import("../core/actions.js").Action} Action */

const WAIT = 3600; // seconds that a host which is away has to come back
const NAMED = 5;

export class Bulk {
  /** @type {(action: Action, ids: string[]) => void} */ ask = () => {};
}

/** @param {import("../app.js").App} app @param {Bulk} bulk @param {() => void} done called once all is under way */
export const bulkDialog = (app, bulk, done) => () => {
  const dialog = byId("bulk", HTMLDialogElement);
  /** @type {Action|null} */
  let action = null;
  /** @type {string[]} */
  let able = [];
  /** @type {string[]} */
  let away = [];

  return {
    title: "",
    text: "",
    confirm: "",
    tone: "primary",
    left: "",
    absent: 0,
    queue: false,
    concurrency: "0",
    careful: false,
    nobody: false,

    init() {
      bulk.ask = (wanted, ids) => this.open(wanted, ids);
    },

    /** @param {Action} wanted @param {string[]} ids */
    open(wanted, ids) {
      action = wanted;
      const hosts = ids.flatMap((id) => app.fleet.hosts.get(id) ?? []);
      const reasons = hosts.map((host) => ({ id: host.host_id, why: whyNot(wanted, host, app.live), away: !host.connected }));
      able = reasons.filter(({ why }) => !why).map(({ id }) => id);
      away = reasons.filter((reason) => reason.away && wanted.command !== "stop").map(({ id }) => id);
      const left = reasons.filter(({ why }) => why);
      const question = questionForMany(wanted, able.length);
      this.title = able.length === 1 ? `${commandName(wanted.command)} on ${able[0]}?` : question.title;
      this.text = question.text;
      this.confirm = question.confirm;
      this.tone = question.danger ? "danger" : "primary";
      this.nobody = able.length === 0;
      const more = left.length > NAMED ? `, and ${left.length - NAMED} more` : "";
      this.left = left.length ? `Left out: ${left.slice(0, NAMED).map(({ why }) => why).join("; ")}${more}.` : "";
      this.absent = away.length;
      this.queue = false;
      this.careful = Boolean(wanted.harm) && able.length > 1;
      this.concurrency = "0";
      dialog.returnValue = "";
      dialog.showModal();
    },

    closed() {
      const wanted = action;
      if (dialog.returnValue !== "yes" || !wanted) return;
      const hosts = this.queue ? [...able, ...away] : able;
      const options = this.queue ? { queue: true, expires: WAIT } : {};
      void this.start(wanted, { hosts, command: wanted.command, options, concurrency: Number(this.concurrency), stop_on_failure: this.careful });
    },

    /** @param {Action} wanted @param {{hosts: string[], command: string, options: object, concurrency: number, stop_on_failure: boolean}} request */
    async start(wanted, request) {
      if (!request.hosts.length) return;
      try {
        const { items } = await app.api.send("POST", "/runs", request);
        this.report(wanted, (items ?? []).map((/** @type {any} */ item) => item.detail || item.problem || "").filter(Boolean), request.hosts.length);
        done();
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
      done();
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
