/** All parts of the settings page. */

import { drawQr } from "../view/qr.js";
import { about, look } from "./settings-about.js";
import { auditLog, enrollList, sessionList, tokenList } from "./settings-lists.js";
import { loginPassword, loginSecond } from "./settings-login.js";
import { settings } from "./settings.js";

/**
 * @param {import("./later.js").Alpine} Alpine
 * @param {import("../app.js").App} app
 * @param {import("./pages.js").Pages} pages
 * @param {import("../shell/keys.js").Keys} keys
 */
export function makeSettings(Alpine, app, pages, keys) {
  Alpine.data("settings", settings(app, pages));
  Alpine.data("loginPassword", loginPassword(app));
  Alpine.data("loginSecond", loginSecond(app, drawQr));
  Alpine.data("sessionList", sessionList(app));
  Alpine.data("tokenList", tokenList(app));
  Alpine.data("enrollList", enrollList(app));
  Alpine.data("auditLog", auditLog(app));
  Alpine.data("look", look(keys));
  Alpine.data("about", about(app));
}
