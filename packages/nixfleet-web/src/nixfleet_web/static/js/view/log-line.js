/** One line of a log as an element. Text only ever goes in as text. */

import { plural } from "../core/format.js";
import { make } from "./dom.js";

const FLAGS = /** @type {const} */ (["bold", "dim", "italic", "underline", "strike", "inverse"]);

/** @param {import("../core/log-lines.js").Line} line @param {number} index from 0 @returns {HTMLElement} */
export function drawLine(line, index) {
  const element = make("div", "log-line");
  element.dataset.n = String(index + 1);
  if (line.stream !== "stdout") element.dataset.stream = line.stream;
  for (const { text, style } of line.spans) element.append(style ? drawSpan(text, style) : text);
  if (line.hidden) element.append(make("span", "log-more", ` … ${plural(line.hidden, "more character")}, in the download`));
  return element;
}

/** @param {string} text @param {import("../core/ansi.js").Style} style */
function drawSpan(text, style) {
  const span = make("span", "", text);
  for (const flag of FLAGS) if (style[flag]) span.classList.add(`sgr-${flag}`);
  colour(span, "fg", "color", style.fg);
  colour(span, "bg", "background-color", style.bg);
  return span;
}

/** Named colours are classes, the others are set on the element itself. @param {HTMLElement} span @param {string} prefix @param {string} property @param {string|undefined} value */
function colour(span, prefix, property, value) {
  if (value === undefined) return;
  if (value.startsWith("rgb")) span.style.setProperty(property, value);
  else span.classList.add(`${prefix}-${value}`);
}
