/**
 * Lines in chunks: those near the view are elements, the others empty boxes of the right height, so that a log of any
 * length costs the page a few hundred elements.
 */
import { make } from "./dom.js";
import { drawLine } from "./log-line.js";

const CHUNK = 100;
const MARGIN = "600px 0px"; // drawn this far beyond the view, so that scrolling never meets an empty box

/** @typedef {{box: HTMLElement, start: number, count: number, drawn: boolean}} Chunk */

export class LogWindow {
  /** @type {Chunk[]} */ #chunks = [];
  /** @type {WeakMap<Element, Chunk>} */ #byBox = new WeakMap();
  /** @type {readonly import("../core/log-lines.js").Line[]} */ #lines = [];
  /** @type {IntersectionObserver} */ #observer;

  /** @param {HTMLElement} scroller @param {HTMLElement} body */
  constructor(scroller, body) {
    this.body = body;
    this.#observer = new IntersectionObserver((entries) => this.#onSeen(entries), { root: scroller, rootMargin: MARGIN });
  }

  /** Begin anew with these lines (as they grow). @param {readonly import("../core/log-lines.js").Line[]} lines */
  reset(lines) {
    this.#observer.disconnect();
    this.#chunks = [];
    this.#lines = lines;
    this.body.replaceChildren();
  }

  /** Lines from this index on are new or changed. @param {number} from */
  update(from) {
    const total = this.#lines.length;
    for (let index = Math.floor(from / CHUNK); index * CHUNK < total; index += 1) {
      const chunk = this.#chunks[index] ?? this.#add(index);
      const count = Math.min(CHUNK, total - chunk.start);
      const first = Math.max(from, chunk.start) - chunk.start;
      const before = chunk.count;
      chunk.count = count;
      if (chunk.drawn) this.#redraw(chunk, first);
      else if (before !== count) this.#setHeight(chunk);
    }
  }

  /** Draw the end now: it is about to be scrolled into view. */
  drawEnd() {
    for (const chunk of this.#chunks.slice(-2)) this.#draw(chunk);
  }

  /** Heights known from before don't hold any more (the lines wrap or stop wrapping). */
  forgetHeights() {
    for (const chunk of this.#chunks) if (!chunk.drawn) this.#setHeight(chunk);
  }

  /** @param {number} index */
  #add(index) {
    const box = make("div", "log-chunk");
    const chunk = { box, start: index * CHUNK, count: 0, drawn: false };
    this.#chunks.push(chunk);
    this.#byBox.set(box, chunk);
    this.body.append(box);
    this.#observer.observe(box);
    return chunk;
  }

  /** @param {IntersectionObserverEntry[]} entries */
  #onSeen(entries) {
    for (const entry of entries) {
      const chunk = this.#byBox.get(entry.target);
      if (!chunk || !chunk.box.isConnected) continue;
      if (entry.isIntersecting) this.#draw(chunk);
      else if (chunk.drawn && !holdsSelection(chunk.box)) this.#undraw(chunk);
    }
  }

  /** @param {Chunk} chunk */
  #draw(chunk) {
    if (chunk.drawn) return;
    chunk.drawn = true;
    chunk.box.style.height = "";
    this.#redraw(chunk, 0);
  }

  /** @param {Chunk} chunk @param {number} from index within the chunk */
  #redraw(chunk, from) {
    while (chunk.box.childElementCount > from) chunk.box.lastElementChild?.remove();
    const fresh = document.createDocumentFragment();
    for (let at = chunk.start + from; at < chunk.start + chunk.count; at += 1) fresh.append(drawLine(this.#lines[at], at));
    chunk.box.append(fresh);
  }

  /** @param {Chunk} chunk */
  #undraw(chunk) {
    const { height } = chunk.box.getBoundingClientRect(); // lines may wrap: only the page knows
    chunk.drawn = false;
    chunk.box.replaceChildren();
    chunk.box.style.height = `${height}px`;
  }

  /** @param {Chunk} chunk */
  #setHeight(chunk) {
    chunk.box.style.height = `calc(${chunk.count} * var(--row))`;
  }
}

/** What the reader has selected stays. @param {Element} box */
function holdsSelection(box) {
  const selection = getSelection();
  return selection !== null && !selection.isCollapsed && selection.containsNode(box, true);
}
