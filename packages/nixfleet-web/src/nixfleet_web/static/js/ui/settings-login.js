/** Settings: the password, the second factor, recovery codes. */

import { qrView } from "../core/access-view.js";
import { objection, strength, suggestion } from "../core/password.js";
import { chance } from "../shell/chance.js";
import { copyText } from "../view/clipboard.js";
import { partBase } from "./settings.js";

/** @param {import("../app.js").App} app */
export const loginPassword = (app) => () => ({
  ...partBase(app),
  current: "",
  fresh: "",
  again: "",
  level: "0",
  kind: "password",
  fixed: false,
  init() {
    this.whenOpen("login", () => void this.load());
  },
  load() {
    return this.get("/access", ({ password }) => {
      this.fixed = password === "environment";
    });
  },
  judge() {
    this.level = String(strength(this.fresh));
  },
  suggest() {
    this.fresh = this.again = suggestion(chance);
    this.kind = "text";
    this.judge();
  },
  async change() {
    this.error = objection(this.fresh, this.again);
    if (this.error) return;
    const done = await this.tryTo(() => app.api.send("POST", "/password", { current: this.current, new: this.fresh }));
    if (!done) return;
    Object.assign(this, { current: "", fresh: "", again: "", level: "0", kind: "password" });
    app.tell({ level: "info", title: "The password is changed", detail: "Every other session has ended." });
  },
});

/** @param {import("../app.js").App} app @param {(qr: {size: number, path: string}|null) => void} drawQr */
export const loginSecond = (app, drawQr) => () => ({
  ...partBase(app),
  state: "", // until it is known nothing is offered
  left: 0,
  secret: "",
  doing: /** @type {""|"confirm"|"renew"|"drop"} */ (""),
  code: "",
  password: "",
  codes: /** @type {string[]} */ ([]),
  copied: "Copy",
  init() {
    this.whenOpen("login", () => void this.load());
  },
  load() {
    this.stop();
    this.codes = [];
    return this.get("/access", (access) => {
      this.state = access.totp;
      this.left = access.recovery_codes ?? 0;
    });
  },
  /** @returns {boolean} */
  get off() { return this.state === "none" && !this.doing && !this.codes.length; },
  /** @returns {boolean} */
  get on() { return this.state === "database" && !this.doing && !this.codes.length; },
  /** @returns {boolean} */
  get fixed() { return this.state === "environment"; },
  /** @returns {boolean} */
  get starting() { return this.doing === "confirm"; },
  /** @returns {boolean} */
  get few() { return this.left < 3; },
  /** @returns {string} */
  get leftWords() { return `${this.left} recovery codes are left.`; },
  /** @returns {string} */
  get action() { return { confirm: "Turn it on", renew: "Make new codes", drop: "Turn it off", "": "" }[this.doing]; },
  /** @returns {string} */
  get danger() { return this.doing === "drop" ? "danger" : "primary"; },
  /** @returns {string} */
  get codesText() { return this.codes.join("\n"); },
  begin() {
    return this.tryTo(async () => {
      const start = await app.api.send("POST", "/totp");
      this.secret = start.secret.replace(/(.{4})(?=.)/g, "$1 ");
      this.doing = "confirm";
      drawQr(qrView(start.qr ?? ""));
    });
  },
  renew() { this.doing = "renew"; },
  drop() { this.doing = "drop"; },
  stop() {
    Object.assign(this, { doing: "", secret: "", code: "", password: "", error: "" });
    drawQr(null);
  },
  async send() {
    const { doing } = this;
    const body = { code: this.code.trim(), password: this.password };
    const done = await this.tryTo(async () => {
      if (doing === "drop") await app.api.send("DELETE", "/totp", body);
      else this.codes = (await app.api.send("POST", doing === "renew" ? "/totp/recovery" : "/totp/confirm", body)).codes;
    });
    if (!done) return;
    this.stop();
    this.state = doing === "drop" ? "none" : "database";
    this.left = this.codes.length;
    app.tell({ level: "info", title: { drop: "The second factor is off", renew: "The recovery codes before these work no more", confirm: "The second factor is on" }[doing || "drop"] });
  },
  async copy() {
    this.copied = (await copyText(`${this.codesText}\n`)) ? "Copied" : "Select them and copy";
  },
  kept() {
    this.codes = [];
    this.copied = "Copy";
  },
});
