/** One host's page: what it is, and its runs. */

import { historyView } from "../core/run-view.js";
import { runPath } from "../shell/route.js";
import { iconUrl } from "../view/dom.js";

const RUNS = 30;

/** @param {import("../app.js").App} app @param {import("./pages.js").Pages} pages */
export const hostPage = (app, pages) => () => ({
  hostId: "",
  runs: /** @type {object[]} */ ([]),
  none: false,
  init() {
    pages.add("host", {
      heading: ({ host }) => host ?? "",
      foreign: true,
      enter: ({ host }) => void this.show(host ?? ""),
    });
  },
  /** @param {string} hostId */
  async show(hostId) {
    this.hostId = hostId;
    try {
      const runs = await app.api.runs(hostId, RUNS);
      if (this.hostId !== hostId) return;
      this.none = runs.length === 0;
      this.runs = runs.map((run) => {
        const view = historyView(run, app.now());
        return { ...view, icon: iconUrl(view.shape), href: runPath(run.run_id) };
      });
    } catch (problem) {
      app.fail(problem);
    }
  },
});
