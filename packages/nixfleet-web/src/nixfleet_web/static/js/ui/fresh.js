/** Offers to reload, quietly, once the server has a newer version of this page. */

const EVERY = 10 * 60_000;

/** @returns {Promise<string>} the version that the server has; empty where it can't be told */
export async function webVersion() {
  try {
    const answer = await fetch("/static/version.json", { cache: "no-cache" });
    return answer.ok ? String((await answer.json()).version) : "";
  } catch {
    return "";
  }
}

/** @param {import("../app.js").App} app */
export const fresh = (app) => () => ({
  text: "",
  mine: "",
  dismissed: "",
  init() {
    void this.look();
    // Upgrades restart the server as a rule; the timer is for assets that changed under a running one.
    app.onStatus(() => app.live && void this.look());
    setInterval(() => void this.look(), EVERY);
    addEventListener("focus", () => void this.look());
  },
  async look() {
    const now = await webVersion();
    this.mine ||= now;
    if (now && now !== this.mine && now !== this.dismissed) this.text = `Version ${now} of this page is there; you see ${this.mine}.`;
  },
  reload() {
    location.reload();
  },
  later() {
    this.dismissed = this.text.split(" ")[1] ?? "";
    this.text = "";
  },
});
