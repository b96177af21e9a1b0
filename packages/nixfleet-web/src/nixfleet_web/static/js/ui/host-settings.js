/** What the operator decides about a host: how critical it is, notes, its token, and whether it stays. */

import { moment } from "../core/format.js";
import { FLEET } from "../shell/route.js";
import { copyText } from "../view/clipboard.js";

const DAY = 86_400;

/** What was typed and not saved, by host: leaving the page and coming back loses nothing. @type {Map<string, {criticality: string, notes: string}>} */
const drafts = new Map();

/** @param {import("../app.js").App} app */
export const hostSettings = (app) => () => ({
  hostId: "",
  criticality: "medium",
  notes: "",
  saved: "",
  overlap: String(DAY),
  token: "",
  tokenNote: "",

  init() {
    addEventListener("nixfleet:host", (event) => this.open(/** @type {CustomEvent} */ (event).detail));
    // What the operator types is never overwritten by what is heard; only a page opened before the fleet was known is.
    app.onFleet((_, before) => {
      if (!before.synced && this.hostId) this.open(this.hostId);
    });
  },

  /** @param {string} hostId */
  open(hostId) {
    const host = app.fleet.hosts.get(hostId);
    this.hostId = hostId;
    const draft = drafts.get(hostId);
    this.criticality = draft?.criticality ?? host?.criticality ?? "medium";
    this.notes = draft?.notes ?? host?.notes ?? "";
    this.saved = this.token = "";
    this.tokenNote = host?.token_overlap_until ? `Its token before the last rotation works until ${moment(host.token_overlap_until, app.now())}.` : "";
  },

  get path() {
    return `/hosts/${encodeURIComponent(this.hostId)}`;
  },

  async save() {
    try {
      await app.api.send("PATCH", this.path, { criticality: this.criticality, notes: this.notes });
      drafts.delete(this.hostId);
      this.saved = "Saved.";
    } catch (problem) {
      this.saved = "";
      app.fail(problem);
    }
  },

  changed() {
    drafts.set(this.hostId, { criticality: this.criticality, notes: this.notes });
    this.saved = "";
  },

  async rotate() {
    const at = this.overlap === "0";
    const sure = await app.ask({
      title: `A new token for ${this.hostId}?`,
      text: at
        ? "The token it has now stops working at once, and its agent is cut off until it is given the new one. A command that runs there goes on."
        : "The new token is shown once. The one it has now works for one more day, so that you can put the new one in place meanwhile.",
      confirm: "Make a new token",
      danger: at,
    });
    if (!sure) return;
    try {
      const made = await app.api.send("POST", `${this.path}/token`, { overlap: Number(this.overlap) });
      this.token = made.token;
      this.tokenNote = made.overlap_until ? `The old one works until ${moment(made.overlap_until, app.now())}.` : "The old one no longer works.";
    } catch (problem) {
      app.fail(problem);
    }
  },

  async copy() {
    const copied = await copyText(this.token);
    app.tell(copied ? { level: "info", title: "The token is copied" } : { level: "warning", title: "The browser allows no copying here" });
  },

  async remove() {
    const sure = await app.ask({
      title: `Remove ${this.hostId}?`,
      text: `Its token stops working at once, and a command under way ends as lost here; the history of its runs stays. On the host nothing is changed: its agent goes on trying to connect until you take it away there.`,
      confirm: "Remove it",
      danger: true,
    });
    if (!sure) return;
    try {
      await app.api.send("DELETE", this.path);
      app.tell({ level: "info", title: `${this.hostId} is removed` });
      app.router.go(FLEET);
    } catch (problem) {
      app.fail(problem);
    }
  },
});
