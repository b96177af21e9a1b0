/** A share as bar and number: amber from 65, red from 90 percent; a mark beside the number says it without colour. */

import { make, setAttribute, setText } from "./dom.js";

const AMBER = 65;
const RED = 90;

/** @param {number} value percent */
export const tone = (value) => (value >= RED ? "bad" : value >= AMBER ? "warn" : "ok");

/** @type {Record<string, string>} */
const MARK = { bad: "▲▲", warn: "▲", ok: "" };
/** @type {Record<string, string>} */
const SAID = { bad: ", very high", warn: ", high", ok: "" };

export class Meter {
  /** @param {string} label @param {string} meaning for screen readers */
  constructor(label, meaning) {
    this.element = make("div", "meter tone");
    this.bar = make("div", "meter-bar");
    this.fill = make("div", "meter-fill");
    this.value = make("span", "meter-value");
    this.mark = make("span", "meter-mark");
    this.bar.append(this.fill);
    this.element.append(make("span", "", label), this.bar, this.value, this.mark);
    this.element.setAttribute("role", "meter");
    this.element.setAttribute("aria-label", meaning);
    this.element.setAttribute("aria-valuemin", "0");
    this.element.setAttribute("aria-valuemax", "100");
  }

  /** @param {number|null|undefined} value percent; null when unknown @param {string} [words] instead of the percentage */
  set(value, words) {
    const known = typeof value === "number";
    const level = known ? tone(value) : "idle";
    const text = words ?? (known ? `${Math.round(value)}%` : "–");
    setText(this.value, text);
    setText(this.mark, MARK[level] ?? "");
    setAttribute(this.element, "data-tone", level);
    setAttribute(this.element, "aria-valuenow", String(known ? Math.round(value) : 0));
    setAttribute(this.element, "aria-valuetext", known ? `${words ?? `${Math.round(value)} percent`}${SAID[level]}` : "unknown");
    // A transform, not a width: the bar moves without a new layout of the page.
    this.fill.style.transform = `scaleX(${known ? Math.min(100, value) / 100 : 0})`;
  }
}
