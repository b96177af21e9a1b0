/** Taking a log out of the page: as text, copied, on paper. */

import { plural } from "../core/format.js";
import { plainText, toLines } from "../core/log-lines.js";
import { copyText } from "./clipboard.js";
import { make } from "./dom.js";

const COPIED_MAX = 200_000; // records
const PRINTED_MAX = 5000; // records; about a hundred sheets

/** @typedef {import("../shell/log-data.js").LogData} LogData */

/** The log without colours. Raises Refused. @param {LogData} data @param {number} [from] a record @returns {Promise<string[]>} lines */
export async function plainLines(data, from = 1) {
  const records = [];
  for await (const some of data.all(from)) records.push(...some);
  return toLines(records).map(plainText);
}

/** What is selected, or all of it. @param {LogData} data @param {Element} scroller @returns {Promise<string>} how it went, in words */
export async function copyLog(data, scroller) {
  const chosen = getSelection();
  if (chosen && !chosen.isCollapsed && scroller.contains(chosen.anchorNode)) {
    return (await copyText(chosen.toString())) ? "What is selected is copied" : "The browser allows no copying here";
  }
  if (data.pages.total > COPIED_MAX) return "This log is too long to copy; download it instead";
  const lines = await plainLines(data).catch(() => null);
  if (!lines) return "The log could not be read: there is no connection to the server";
  return (await copyText(`${lines.join("\n")}\n`)) ? "The log is copied" : "The browser allows no copying here";
}

/** Its end in black on white, under a heading, with nothing of the page around. @param {LogData} data @param {string} title @returns {Promise<string>} why not; empty when it was */
export async function printLog(data, title) {
  const left = Math.max(0, data.pages.total - PRINTED_MAX);
  const lines = await plainLines(data, left + 1).catch(() => null);
  if (!lines) return "The log could not be read: there is no connection to the server";
  const sheet = make("div", "print-sheet");
  sheet.append(make("h1", "", title));
  if (left > 0) sheet.append(make("p", "", `${plural(left, "line")} before these are left out here; the download has them.`));
  sheet.append(make("pre", "", lines.join("\n")));
  document.body.append(sheet);
  addEventListener("afterprint", () => sheet.remove(), { once: true });
  print();
  return "";
}
