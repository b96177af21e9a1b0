/** The lines of a log, as far as they are in view: which records are rows, how they are drawn, which are folded. */

import { lengths } from "../core/log-parts.js";
import { LogRows } from "../core/log-rows.js";
import { make } from "./dom.js";
import { drawLine, drawNothing, drawWaiting } from "./log-line.js";
import { LogWindow } from "./log-window.js";

const SETTLES = 400; // milliseconds of rest after which a key's smooth scrolling has ended

/** @typedef {import("../shell/log-data.js").LogData} LogData */

export class LogPane {
  scroller = make("div", "log-scroller");
  #body = make("div", "log-body");
  #window = new LogWindow(this.scroller, this.#body);
  #rows = new LogRows();
  /** @type {Set<number>} */ #folded = new Set();
  /** @type {Map<number, number>} index by first record */ #partAt = new Map();
  /** @type {Map<number, string>} */ #took = new Map();
  /** @type {number|null} */ #looked = null;
  /** @type {number|null} */ #ended = null;
  /** @type {number|null} */ #awaited = null; // to be gone to once there is room to draw
  #heldUntil = 0; // at the first line, whatever still scrolls
  /** @type {LogData|null} */ #data = null;
  /** @type {(seq: number) => string} */ #href = () => "";

  constructor() {
    this.scroller.tabIndex = 0;
    this.scroller.setAttribute("role", "region");
    this.scroller.setAttribute("aria-label", "Output");
    this.scroller.append(this.#body);
    this.scroller.addEventListener("click", (event) => this.#onClick(event));
    for (const hand of ["wheel", "pointerdown", "keydown"]) this.scroller.addEventListener(hand, () => (this.#heldUntil = 0), { passive: true });
  }

  get folded() {
    return this.#folded.size > 0;
  }

  /** @param {LogData} data @param {(seq: number) => string} href */
  open(data, href) {
    this.#data = data;
    this.#href = href;
    this.#folded = new Set();
    this.#looked = this.#ended = this.#awaited = null;
    this.#learnParts();
    this.#window.reset(this.#source());
    this.#count();
    this.#window.redraw();
  }

  /** Records came; lines from this one on are other than before. @param {number} changed */
  update(changed) {
    this.#count();
    this.#window.update(this.#rows.rowOf(changed));
  }

  /** @param {number} from @param {number} to records */
  refresh(from, to) {
    this.#window.refresh(this.#rows.rowOf(from), this.#rows.rowOf(to));
  }

  /** Other parts than before. */
  drawParts() {
    const before = new Set(this.#partAt.keys());
    this.#learnParts();
    if (this.#folded.size) this.#refold();
    else for (const seq of this.#partAt.keys()) if (!before.has(seq) || this.#partAt.size < 60) this.refresh(seq, seq);
  }

  /** @param {number|null} at when the run's last record came @returns {boolean} whether that is new */
  end(at) {
    if (this.#ended === at) return false;
    this.#ended = at;
    return true;
  }

  /** @param {number} seq */
  goTo(seq) {
    this.#heldUntil = 0;
    const part = this.#data?.parts.partOf(seq);
    if (part && part.seq !== seq && this.#folded.delete(part.seq)) this.#refold();
    this.#awaited = this.scroller.clientHeight ? null : seq;
    this.#look(seq);
    const row = this.#rows.rowOf(seq);
    const element = this.#window.element(row);
    if (!element || !this.#inView(element)) this.#window.show(row, this.scroller.clientHeight / 3);
  }

  /** The line that is looked at, else the first in view, which is looked at from now on. @returns {number|null} null: there is none */
  here() {
    const looked = this.#looked === null ? null : this.#window.element(this.#rows.rowOf(this.#looked));
    if (looked && this.#inView(looked, false)) return this.#looked;
    if (!this.#rows.count) return null;
    const { row, offset } = this.#window.position();
    this.#look(this.#rows.seqAt(Math.min(this.#rows.count - 1, offset > 0 ? row + 1 : row)));
    return this.#looked;
  }

  /** The pane has another size than before. */
  resized() {
    if (this.#awaited !== null && this.scroller.clientHeight) this.goTo(this.#awaited);
  }

  /** @param {boolean} on fold all parts, or none */
  foldAll(on) {
    this.#folded = new Set(on ? this.#partAt.keys() : []);
    this.#refold();
  }

  toEnd() {
    this.#heldUntil = 0;
    this.#window.end();
  }

  /** And stay there: the smooth scrolling of a key pressed just before would go on from here. */
  toStart() {
    this.#window.show(0);
    this.#heldUntil = performance.now() + SETTLES;
  }

  /** All rows in view look other than before. */
  redraw() {
    this.#window.redraw();
  }

  /** See LogWindow. */
  scrolled() {
    if (performance.now() >= this.#heldUntil || this.scroller.scrollTop === 0) return this.#window.scrolled();
    this.toStart();
    return 0;
  }

  /** The record at the top of the view. */
  get topSeq() {
    return this.#rows.seqAt(this.#window.position().row);
  }

  /** @param {number} seq */
  #look(seq) {
    const before = this.#looked;
    this.#looked = seq;
    if (before !== null) this.refresh(before, before);
    this.refresh(seq, seq);
  }

  /** @param {HTMLElement} element @param {boolean} [whole] or only its beginning */
  #inView(element, whole = true) {
    const [row, view] = [element.getBoundingClientRect(), this.scroller.getBoundingClientRect()];
    return row.top >= view.top && (whole ? row.bottom : row.top) <= view.bottom;
  }

  #source() {
    return {
      count: this.#rows.count,
      draw: (/** @type {number} */ row) => this.#draw(this.#rows.seqAt(row)),
      look: (/** @type {number} */ from, /** @type {number} */ to) => this.#data?.look(this.#rows.seqAt(from), this.#rows.seqAt(to)),
    };
  }

  /** @param {number} seq */
  #draw(seq) {
    const data = /** @type {LogData} */ (this.#data);
    const line = data.pages.line(seq);
    if (line === undefined) return drawWaiting(seq);
    if (line === null) return drawNothing(seq);
    const { parts } = data.parts;
    const at = this.#partAt.get(seq);
    const looked = this.#looked !== null && this.#looked >= line.seq && this.#looked <= line.through;
    const around = { href: this.#href(seq), words: data.search.words, looked, part: null };
    if (at === undefined) return drawLine(line, around);
    const lines = (parts[at + 1]?.seq ?? data.pages.total + 1) - seq - 1;
    const { title, outcome } = parts[at];
    return drawLine(line, { ...around, part: { folded: this.#folded.has(seq), took: this.#took.get(seq) ?? "", title, outcome, lines } });
  }

  #learnParts() {
    const parts = this.#data?.parts.parts ?? [];
    this.#partAt = new Map(parts.map((part, at) => [part.seq, at]));
    this.#took = lengths(parts, this.#ended);
  }

  #count() {
    this.#rows = new LogRows(this.#data?.pages.total ?? 0, [...this.#partAt.keys()], this.#folded);
    this.#window.source = this.#source();
  }

  #refold() {
    this.#count();
    this.#window.redraw();
  }

  /** @param {Event} event */
  #onClick(event) {
    const button = /** @type {Element} */ (event.target).closest("[data-fold]");
    if (!(button instanceof HTMLElement)) return;
    const seq = Number(button.dataset.fold);
    if (!this.#folded.delete(seq)) this.#folded.add(seq);
    this.#refold();
    const again = this.#window.element(this.#rows.rowOf(seq))?.querySelector("button");
    if (again) again.focus({ preventScroll: true });
  }
}
