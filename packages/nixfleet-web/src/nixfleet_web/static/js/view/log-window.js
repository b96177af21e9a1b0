/**
 * The part of a long list that is in view. Only rows near the view are elements, in one block that hangs at the right
 * height of an empty box; rows may have any height, and there may be more of them than a browser can scroll over.
 *
 * Small scrolling moves over the block, which grows at one end and shrinks at the other; a jump (the scroll bar, a
 * link) draws it anew. When the scrolling rests, box and block are moved to where the whole list has them.
 */
import { make } from "./dom.js";

const HEIGHT_MAX = 4_000_000; // pixels; browsers give up between 17 and 33 million
const BATCH = 30; // rows
const BATCHES_MAX = 14;
const KEPT_MAX = 3000; // rows, while they hold a selection

/** @typedef {{count: number, draw: (row: number) => HTMLElement, look: (from: number, to: number) => void}} Source */

export class LogWindow {
  /** @type {Source} */ source = { count: 0, draw: () => make("div"), look: () => {} };
  #first = 0; // rows in the block: from, before
  #last = 0;
  #count = 0;
  #top = 0; // of the block, pixels
  #scrolled = 0; // where we know the scroller to be
  #row = 20; // height of a row, as measured
  /** @type {any} */ #resting = null;
  #block = make("div", "log-block");

  /** @param {HTMLElement} scroller @param {HTMLElement} body the empty box */
  constructor(scroller, body) {
    this.scroller = scroller;
    this.body = body;
    body.append(this.#block);
  }

  /** Begin anew. @param {Source} source */
  reset(source) {
    this.source = source;
    this.#block.replaceChildren();
    this.#first = this.#last = this.#count = this.#top = 0;
    this.#row = parseFloat(getComputedStyle(this.body).lineHeight) || 20;
    this.#scrollTo(0);
    this.#settle();
  }

  /** Rows came at the end, and those from `changed` on are other than before. @param {number} changed */
  update(changed) {
    const { count } = this.source;
    if (count < this.#count || changed < this.#first) return this.redraw(); // folded: other rows than before
    this.#count = count;
    this.#replace(Math.max(changed, this.#first), this.#last);
    this.#fill();
  }

  /** All rows in view, drawn again; what is at the top stays there. */
  redraw() {
    const { row, offset } = this.position();
    this.#count = this.source.count;
    this.show(Math.min(row, Math.max(0, this.#count - 1)), -offset);
  }

  /** Rows whose text came, or that look other now. @param {number} from @param {number} to inclusive */
  refresh(from, to) {
    const [begin, end] = [Math.max(from, this.#first), Math.min(to + 1, this.#last)];
    if (begin >= end) return;
    const anchor = this.position();
    const before = this.#offsetOf(anchor.row);
    this.#replace(begin, end);
    this.#top += before - this.#offsetOf(anchor.row); // what is above may have another height now
    this.#fill();
  }

  /** The row at the top of the view, and how far it is scrolled out of it. @returns {{row: number, offset: number}} */
  position() {
    const view = this.scroller.scrollTop - this.#top;
    let [low, high] = [0, this.#block.childElementCount - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (/** @type {HTMLElement} */ (this.#block.children[middle]).offsetTop <= view) low = middle;
      else high = middle - 1;
    }
    const element = /** @type {HTMLElement|undefined} */ (this.#block.children[low]);
    return { row: this.#first + low, offset: element ? Math.max(0, view - element.offsetTop) : 0 };
  }

  /** @param {number} row @returns {HTMLElement|null} */
  element(row) {
    return row >= this.#first && row < this.#last ? /** @type {HTMLElement} */ (this.#block.children[row - this.#first]) : null;
  }

  /** Rows in view. @returns {[number, number]} inclusive */
  visible() {
    const { row } = this.position();
    return [row, Math.min(this.#count - 1, row + Math.ceil(this.scroller.clientHeight / this.#row))];
  }

  /** Bring a row into view, `below` pixels under the top edge. @param {number} row @param {number} [below] */
  show(row, below = 0) {
    this.#count = this.source.count;
    this.#block.replaceChildren();
    this.#first = this.#last = Math.max(0, Math.min(row, this.#count));
    this.#top = this.#ideal(this.#first);
    this.#scrollTo(Math.max(0, this.#top - below));
    this.#fill();
  }

  /** Bring the end into view. */
  end() {
    const missed = this.#last < this.source.count - BATCH * 2;
    if (missed) this.show(Math.max(0, this.source.count - 1));
    this.#count = this.source.count;
    this.#fill();
    this.#scrollTo(this.scroller.scrollHeight);
    this.#fill();
    this.#scrollTo(this.scroller.scrollHeight);
  }

  /** Where the reader scrolled to. @returns {number} pixels since the last call; 0 when it was us */
  scrolled() {
    const { scrollTop, clientHeight, scrollHeight } = this.scroller;
    const moved = scrollTop - this.#scrolled;
    if (Math.abs(moved) < 1) return 0;
    this.#scrolled = scrollTop;
    const bottom = this.#top + this.#block.offsetHeight;
    const away = scrollTop > bottom || scrollTop + clientHeight < this.#top;
    if (away || Math.abs(moved) > clientHeight * 4) {
      if (scrollHeight - clientHeight - scrollTop < 2) this.end();
      else this.#jump(scrollTop);
    } else this.#fill();
    clearTimeout(this.#resting);
    this.#resting = setTimeout(() => this.#rest(), 160);
    return moved;
  }

  /** @param {number} top */
  #jump(top) {
    const exact = top / (this.#row * this.#scale);
    const row = Math.min(Math.max(0, this.#count - 1), Math.floor(exact));
    this.#block.replaceChildren();
    this.#first = this.#last = row;
    this.#top = top - (exact - row) * this.#row;
    this.#fill();
  }

  /** Grow the block until it covers the view and a margin, and take away what is far from it. */
  #fill() {
    const { clientHeight } = this.scroller;
    const margin = Math.max(400, clientHeight);
    for (let batch = 0; batch < BATCHES_MAX && this.#last < this.#count; batch += 1) {
      if (this.#top + this.#block.offsetHeight > this.scroller.scrollTop + clientHeight + margin) break;
      this.#grow(this.#last, Math.min(this.#count, this.#last + BATCH), false);
    }
    for (let batch = 0; batch < BATCHES_MAX && this.#first > 0; batch += 1) {
      if (this.#top < this.scroller.scrollTop - margin) break;
      const before = this.#block.offsetHeight;
      this.#grow(Math.max(0, this.#first - BATCH), this.#first, true);
      this.#top -= this.#block.offsetHeight - before;
    }
    this.#shrink(this.scroller.scrollTop - margin * 2, this.scroller.scrollTop + clientHeight + margin * 2);
    this.#settle();
    if (this.#last > this.#first) this.source.look(this.#first, this.#last - 1);
  }

  /** @param {number} from @param {number} to @param {boolean} above */
  #grow(from, to, above) {
    const fresh = document.createDocumentFragment();
    for (let row = from; row < to; row += 1) fresh.append(this.source.draw(row));
    if (above) this.#block.prepend(fresh);
    else this.#block.append(fresh);
    this.#first = Math.min(this.#first, from);
    this.#last = Math.max(this.#last, to);
  }

  /** @param {number} from @param {number} to rows of the block */
  #replace(from, to) {
    for (let row = from; row < to; row += 1) {
      const old = this.#block.children[row - this.#first];
      const focused = old.contains(document.activeElement);
      const fresh = this.source.draw(row);
      old.replaceWith(fresh);
      if (focused) /** @type {HTMLElement|null} */ (fresh.querySelector("button"))?.focus();
    }
  }

  /** @param {number} above @param {number} below pixels that stay */
  #shrink(above, below) {
    if (this.#last - this.#first < BATCH * 4) return;
    if (this.#last - this.#first < KEPT_MAX && holdsSelection(this.#block)) return;
    const { children } = this.#block;
    const tops = Array.from(children, (child) => /** @type {HTMLElement} */ (child).offsetTop); // one layout
    let [head, tail] = [0, tops.length];
    while (head < tail - BATCH && this.#top + tops[head + 1] < above) head += 1;
    while (tail > head + BATCH && this.#top + tops[tail - 1] > below) tail -= 1;
    if (this.#block.contains(document.activeElement)) {
      const at = Array.prototype.findIndex.call(children, (child) => child.contains(document.activeElement));
      if (at < head || at >= tail) this.scroller.focus({ preventScroll: true });
    }
    const gone = tops[head] ?? 0;
    for (let at = tops.length - 1; at >= tail; at -= 1) children[at].remove();
    for (let at = 0; at < head; at += 1) children[0].remove();
    this.#top += gone;
    this.#last = this.#first + tail;
    this.#first += head;
  }

  /** The box's height and the block's place; both ends of the list are where they have to be. */
  #settle() {
    if (this.#first === 0 && this.#top !== 0) this.#shift(-this.#top);
    else if (this.#first > 0 && this.#top < this.#row) this.#shift(this.#ideal(this.#first) - this.#top);
    const rest = (this.#count - this.#last) * this.#row * this.#scale;
    this.body.style.height = `${Math.ceil(this.#top + this.#block.offsetHeight + rest)}px`;
    this.#block.style.top = `${this.#top}px`;
  }

  /** The scrolling rests: the block goes where the whole list has it, and what one sees stays. */
  #rest() {
    if (!this.scroller.isConnected || this.#first === 0 || this.#last === this.#count) return;
    const off = this.#ideal(this.#first) - this.#top;
    if (Math.abs(off) < 2) return;
    this.#shift(off);
    this.#settle();
  }

  /** @param {number} by pixels, block and view together */
  #shift(by) {
    const wanted = this.scroller.scrollTop + by;
    this.#top += by;
    this.body.style.height = `${Math.ceil(Math.max(this.body.offsetHeight, wanted + this.scroller.clientHeight))}px`;
    this.#block.style.top = `${this.#top}px`;
    this.#scrollTo(wanted);
  }

  #ideal = (/** @type {number} */ row) => row * this.#row * this.#scale;

  /** Of the list's height, what the box can have. */
  get #scale() { return Math.min(1, HEIGHT_MAX / Math.max(1, this.#count * this.#row)); } // prettier-ignore

  #offsetOf = (/** @type {number} */ row) => this.element(row)?.offsetTop ?? 0;

  /** @param {number} top */
  #scrollTo(top) {
    this.scroller.scrollTop = top;
    this.#scrolled = this.scroller.scrollTop;
  }
}

/** What the reader has selected stays. @param {Element} box */
function holdsSelection(box) {
  const selection = getSelection();
  return selection !== null && !selection.isCollapsed && selection.containsNode(box, true);
}
