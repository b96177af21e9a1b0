/** What one can do about the run that is open: stop it, decide about its time, hand its address on. */

import { actionOf } from "../core/actions.js";
import { copyText } from "../view/clipboard.js";

/** @param {import("../app.js").App} app @param {() => import("../core/types.js").Run|null} current */
export const runActs = (app, current) => {
  /** @param {"wait"|"ignore"} choice */
  const decide = (choice) => void (app.live && app.decide(current()?.run_id ?? "", choice));
  return {
    /** @param {Event} event */
    stop(event) {
      const host = app.fleet.hosts.get(current()?.host_id ?? "");
      if (host && app.live) void app.act(host, actionOf("stop"), /** @type {HTMLElement} */ (event.currentTarget));
    },
    wait() {
      decide("wait");
    },
    ignore() {
      decide("ignore");
    },
    async copyLink() {
      if (await copyText(location.href)) app.tell({ level: "info", title: "The link is copied" });
      else app.tell({ level: "warning", title: "The browser allows no copying here", detail: location.href });
    },
  };
};
