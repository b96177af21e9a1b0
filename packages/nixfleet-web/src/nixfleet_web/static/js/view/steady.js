/**
 * A part of the page that comes, grows and goes by itself, and must not move what lies below it under the pointer. What it
 * grows is scrolled away, and where it shrinks its room is kept; when nobody is at it the page glides to where it belongs.
 */
import { byId } from "./dom.js";

const GLIDE = 1000; // milliseconds a glide is left alone: another scroll in the midst of it may be lost
const RESTS = 10_000; // milliseconds without a move or key after which a pointer or focus merely lies there
const CALM = matchMedia("(prefers-reduced-motion: reduce)");

export class Steady {
  #main = byId("main", HTMLElement);
  /** @type {HTMLElement} */ #page;
  #owed = 0; // pixels that were scrolled away, to be given back
  #left = 0; // where that left the page
  #glidedAt = -GLIDE;
  #touchedAt = -RESTS;
  kept = false; // its room, though it is no longer needed

  /** @param {HTMLElement} room of the part, and of nothing else @param {HTMLElement} below stays where it is */
  constructor(room, below) {
    this.room = room;
    this.below = below;
    this.#page = /** @type {HTMLElement} */ (room.parentElement);
    for (const kind of ["pointermove", "pointerdown", "keydown"]) addEventListener(kind, () => (this.#touchedAt = performance.now()), { passive: true });
  }

  /** @param {() => void} change of the part */
  change(change) {
    const before = this.#top;
    const height = this.room.offsetHeight;
    const seen = before > this.#main.getBoundingClientRect().top; // the part, or where it would be
    this.#keep(0);
    change();
    if (this.#top - before < -this.#main.scrollTop) this.#keep(height); // more than can be scrolled back
    const moved = this.#top - before;
    if (moved === 0) return;
    this.#scroll(this.#main.scrollTop + moved);
    if (seen) this.#owed = Math.max(0, this.#owed + moved);
    this.#left = this.#main.scrollTop;
  }

  /** Called often: gives back what was scrolled or kept, when nobody is there who would see things move. */
  settle() {
    if (!this.#owed && !this.kept && !this.#page.style.minHeight) return;
    const at = this.#main.scrollTop;
    if (at !== this.#left) this.#owed = 0; // they scrolled themselves: that is where they want to be
    if (this.#busy || performance.now() - this.#glidedAt < GLIDE) return;
    if (this.#owed) this.#scroll(at - this.#owed, true);
    else if (this.kept) this.#give();
    else if (at === 0) this.#page.style.minHeight = "";
    this.#owed = 0;
  }

  /** Room that is kept goes once it is out of sight. */
  #give() {
    const height = this.room.offsetHeight;
    this.#keep(0);
    const spare = height - this.room.offsetHeight;
    this.#keep(height);
    if (this.#main.scrollTop >= spare) this.change(() => {});
    else this.#scroll(spare, true);
  }

  /** Somebody points at the page, or is in it by keyboard, and did something lately: a problem must not stay out of sight. */
  get #busy() {
    if (performance.now() - this.#touchedAt > RESTS) return false;
    const active = document.activeElement;
    return this.#page.matches(":hover") || (this.#page.contains(active) && active?.matches(":focus-visible") === true);
  }

  get #top() {
    return this.below.getBoundingClientRect().top;
  }

  /** @param {number} height */
  #keep(height) {
    this.room.style.minHeight = height ? `${height}px` : "";
    this.kept = height > 0;
  }

  /** @param {number} top @param {boolean} [glide] */
  #scroll(top, glide = false) {
    const { scrollTop, clientHeight } = this.#main;
    const around = parseFloat(getComputedStyle(this.#main).paddingBottom);
    const above = this.#page.getBoundingClientRect().top - this.#main.getBoundingClientRect().top + scrollTop + around;
    if (glide) this.#glidedAt = performance.now();
    // A short page couldn't be scrolled that far, nor stay where it is while it glides back.
    this.#page.style.minHeight = `${Math.max(top, scrollTop) + clientHeight - above}px`;
    this.#main.scrollTo({ top, behavior: glide && !CALM.matches ? "smooth" : "instant" });
  }
}
