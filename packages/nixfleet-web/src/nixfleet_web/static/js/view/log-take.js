/** Taking a log out of the page: as text, as a link, copied, on paper. */

import { digits, plural } from "../core/format.js";
import { plainText, toLines } from "../core/log-lines.js";
import { copyText } from "./clipboard.js";
import { make } from "./dom.js";

const COPIED_MAX = 200_000; // records
const PRINTED_MAX = 5000; // records; about a hundred sheets
const NO_COPYING = "The browser allows no copying here";

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
    return (await copyText(chosen.toString())) ? "What is selected is copied" : NO_COPYING;
  }
  if (data.pages.total > COPIED_MAX) return "This log is too long to copy; download it instead";
  const lines = await plainLines(data).catch(() => null);
  if (!lines) return "The log could not be read: there is no connection to the server";
  return (await copyText(`${lines.join("\n")}\n`)) ? "The log is copied" : NO_COPYING;
}

/** @param {string} href @param {number} line it leads to; 0: the run as a whole @returns {Promise<string>} how it went, in words */
export async function copyLink(href, line) {
  if (!(await copyText(new URL(href, location.href).href))) return NO_COPYING;
  return line ? `The link to line ${digits(line)} is copied` : "The link to this run is copied";
}

/** Its end, as far as the paper is to have it; without a connection as far as it is here. @param {LogData} data @param {string} title */
export async function printLog(data, title) {
  const left = Math.max(0, data.pages.total - PRINTED_MAX);
  const lines = await plainLines(data, left + 1).catch(() => null);
  if (lines) lay(title, lines, left);
  else layHeld(data, title);
  print();
}

/** For a print that the browser began: it waits for nothing, so the paper gets what is here. @param {LogData} data @param {string} title */
export function layHeld({ pages }, title) {
  if (document.querySelector(".print-sheet")) return;
  const { lines, left } = pages.end(PRINTED_MAX);
  lay(title, lines.map(plainText), left);
}

/** Black on white under a heading, with nothing of the page around. @param {string} title @param {string[]} lines @param {number} left records before them */
function lay(title, lines, left) {
  const sheet = make("div", "print-sheet");
  sheet.append(make("h1", "", title));
  if (left > 0) sheet.append(make("p", "", `${plural(left, "line")} before these are left out here; the download has them.`));
  sheet.append(make("pre", "", lines.join("\n")));
  document.body.append(sheet);
  addEventListener("afterprint", () => sheet.remove(), { once: true });
}
