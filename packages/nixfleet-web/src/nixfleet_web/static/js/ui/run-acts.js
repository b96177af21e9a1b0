/** What one can do about the run that is open: stop it, decide about its time, hand its address on. */

import { copyText } from "../view/clipboard.js";
import { STOP } from "./chrome.js";

const WAIT = 5 * 60; // seconds

/** @param {import("../app.js").App} app @param {() => import("../core/types.js").Run|null} current */
export const runActs = (app, current) => ({
  /** @param {Event} event */
  stop(event) {
    const host = app.fleet.hosts.get(current()?.host_id ?? "");
    if (host) void app.act(host, STOP, /** @type {HTMLElement} */ (event.currentTarget));
  },
  wait() {
    void decide(app, current(), { action: "wait", seconds: WAIT }, "It has 5 minutes more");
  },
  ignore() {
    void decide(app, current(), { action: "ignore" }, "It may take as long as it takes");
  },
  async copyLink() {
    if (await copyText(location.href)) app.tell({ level: "info", title: "The link is copied" });
    else app.tell({ level: "warning", title: "The browser allows no copying here", detail: location.href });
  },
});

/** @param {import("../app.js").App} app @param {import("../core/types.js").Run|null} run @param {object} choice a TimeoutChoice @param {string} done */
async function decide(app, run, choice, done) {
  if (!run) return;
  try {
    await app.api.send("POST", `/runs/${encodeURIComponent(run.run_id)}/timeout`, choice);
    app.tell({ level: "info", title: done });
  } catch (problem) {
    app.fail(problem);
  }
}
