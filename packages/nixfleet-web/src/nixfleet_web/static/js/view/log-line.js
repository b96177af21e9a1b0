/** One line of a log as an element. Text only ever goes in as text. */

import { clock, digits, plural } from "../core/format.js";
import { isError, isLeftOut } from "../core/log-parts.js";
import { plainText } from "../core/log-lines.js";
import { places } from "../core/log-search.js";
import { drawn } from "../core/palette.js";
import { make } from "./dom.js";

const FLAGS = /** @type {const} */ (["bold", "italic", "underline", "strike"]);

/**
 * @typedef {object} Around what the log knows about a line beyond its text
 * @property {string} href of the link to it; empty: none
 * @property {string} words that are searched for
 * @property {boolean} looked the match that is looked at, or the line that was linked to
 * @property {{folded: boolean, took: string, title: string, outcome: string, lines: number}|null} part the heading it carries
 */

/** @param {import("../core/log-lines.js").Line} line @param {Around} around @returns {HTMLElement} */
export function drawLine(line, around) {
  const element = make("div", "log-line");
  element.dataset.seq = String(line.seq);
  const note = line.stream === "note" || line.stream === "gap";
  if (line.stream !== "stdout") element.dataset.stream = line.stream;
  if (around.looked) element.dataset.looked = "";
  if (line.stream === "gap" || (note && isLeftOut(plainText(line)))) element.dataset.mark = "gap";
  else if (!note && isError(plainText(line))) element.dataset.mark = "error";
  element.append(number(line, around.href), time(line));
  if (around.part?.outcome) element.dataset.outcome = around.part.outcome;
  if (around.part) element.append(fold(line, around.part));
  drawSpans(element, line, around.words);
  if (line.folded > 0) element.append(make("span", "log-more", `  ↻ ${digits(line.folded)}`));
  if (line.hidden) element.append(make("span", "log-more", ` … ${plural(line.hidden, "more character")}, in the download`));
  if (around.part) element.append(make("span", "log-took", took(around.part)));
  return element;
}

/** A record that is on its way. @param {number} seq */
export function drawWaiting(seq) {
  const element = make("div", "log-line");
  element.dataset.seq = String(seq);
  element.dataset.waiting = "";
  element.append(number({ seq, stream: "stdout" }, ""));
  return element;
}

/** A record whose text stands in an earlier line. @param {number} seq */
export function drawNothing(seq) {
  const element = make("div", "log-line log-none"); // without height, not hidden: it has to have a place
  element.dataset.seq = String(seq);
  return element;
}

/** @param {{seq: number, stream: string}} line @param {string} href */
function number({ seq, stream }, href) {
  const link = document.createElement("a");
  link.className = "log-n";
  if (stream !== "gap") link.dataset.n = String(seq); // drawn by the style sheet: never copied with the text
  link.tabIndex = -1; // a stop for each line would bury the keyboard
  link.setAttribute("aria-hidden", "true");
  if (href) link.href = href;
  return link;
}

/** @param {import("../core/log-lines.js").Line} line */
function time(line) {
  const element = make("span", "log-at");
  if (line.at) element.dataset.t = clock(line.at);
  return element;
}

/** @param {import("../core/log-lines.js").Line} line @param {NonNullable<Around["part"]>} part */
function fold(line, part) {
  const button = make("button", "log-fold");
  button.setAttribute("type", "button");
  button.setAttribute("aria-expanded", String(!part.folded));
  button.setAttribute("aria-label", `${part.folded ? "Unfold" : "Fold"} ${part.title}`);
  button.dataset.fold = String(line.seq);
  return button;
}

/** @param {NonNullable<Around["part"]>} part */
const took = ({ folded, took: length, outcome, lines }) => [outcome, folded && plural(lines, "line"), length].filter(Boolean).join(" · ");

/** @param {HTMLElement} element @param {import("../core/log-lines.js").Line} line @param {string} words */
function drawSpans(element, line, words) {
  const marks = places(words ? plainText(line) : "", words);
  let at = 0;
  for (const { text, style } of line.spans) {
    const parts = marks.length ? split(text, at, marks) : [{ text, marked: false }];
    for (const part of parts) element.append(piece(part.text, style, part.marked));
    at += text.length;
  }
}

/** @param {string} text @param {number} start @param {[number, number][]} marks @returns {{text: string, marked: boolean}[]} */
function split(text, start, marks) {
  const parts = [];
  let done = 0;
  for (const [from, to] of marks) {
    const [begin, end] = [Math.max(from - start, done), Math.min(to - start, text.length)];
    if (end <= begin) continue;
    if (begin > done) parts.push({ text: text.slice(done, begin), marked: false });
    parts.push({ text: text.slice(begin, end), marked: true });
    done = end;
  }
  if (done < text.length) parts.push({ text: text.slice(done), marked: false });
  return parts;
}

/** @param {string} text @param {import("../core/ansi.js").Style|null} style @param {boolean} marked @returns {string|HTMLElement} */
function piece(text, style, marked) {
  if (!style && !marked) return text;
  const span = make(marked ? "mark" : "span", "", text);
  if (!style) return span;
  for (const flag of FLAGS) if (style[flag]) span.classList.add(`sgr-${flag}`);
  if (marked) return span;
  const { fg, bg } = drawn(style);
  colour(span, "fg", "color", fg);
  colour(span, "bg", "background-color", bg);
  return span;
}

/** Named colours are classes, the others are set on the element itself. @param {HTMLElement} span @param {string} prefix @param {string} property @param {string|null} value */
function colour(span, prefix, property, value) {
  if (value === null) return;
  if (value.startsWith("rgb")) span.style.setProperty(property, value);
  else span.classList.add(`${prefix}-${value}`);
}
