/** A percentage as bar and number: amber from 65, red from 90. */

import { make, setAttribute, setText } from "./dom.js";

const AMBER = 65;
const RED = 90;

/** @param {number} value percent */
export const tone = (value) => (value >= RED ? "bad" : value >= AMBER ? "warn" : "ok");

export class Meter {
  /** @param {string} label @param {string} meaning for screen readers */
  constructor(label, meaning) {
    this.element = make("div", "meter tone");
    this.bar = make("div", "meter-bar");
    this.fill = make("div", "meter-fill");
    this.value = make("span", "meter-value");
    this.bar.append(this.fill);
    this.element.append(make("span", "", label), this.bar, this.value);
    this.element.setAttribute("role", "meter");
    this.element.setAttribute("aria-label", meaning);
    this.element.setAttribute("aria-valuemin", "0");
    this.element.setAttribute("aria-valuemax", "100");
  }

  /** @param {number|null|undefined} value percent; null when unknown */
  set(value) {
    const known = typeof value === "number";
    setText(this.value, known ? `${Math.round(value)}%` : "–");
    setAttribute(this.element, "data-tone", known ? tone(value) : "idle");
    setAttribute(this.element, "aria-valuenow", known ? String(Math.round(value)) : null);
    setAttribute(this.element, "aria-valuetext", known ? `${Math.round(value)} percent` : "unknown");
    this.fill.style.width = known ? `${value}%` : "0";
  }
}
