/**
 * <nf-log>: a run's output, live. `begin` empties it, `write` adds records; it follows the end until the reader scrolls
 * up, and says how much has come since. Tells with a `following` event when that changes.
 */
import { plural } from "../core/format.js";
import { LogLines, plainText } from "../core/log-lines.js";
import { make, setText } from "./dom.js";
import { LogWindow } from "./log-window.js";

const NEAR_END = 50; // pixels: nobody means to leave the end by less

export class LogView extends HTMLElement {
  following = true;
  #model = new LogLines();
  #scroller = make("div", "log-scroller");
  #body = make("div", "log-body");
  #news = make("button", "log-new");
  #empty = make("p", "log-empty");
  #window = new LogWindow(this.#scroller, this.#body);
  #seenLines = 0; // lines when the reader left the end
  #top = 0;
  #scheduled = false;

  connectedCallback() {
    if (this.#scroller.isConnected) return;
    this.#scroller.tabIndex = 0;
    this.#scroller.setAttribute("role", "region");
    this.#scroller.setAttribute("aria-label", "Output");
    this.#news.setAttribute("type", "button");
    this.#news.hidden = true;
    this.#news.addEventListener("click", () => this.follow(true));
    this.#scroller.append(this.#body);
    this.#scroller.addEventListener("scroll", () => this.#onScroll(), { passive: true });
    this.append(this.#scroller, this.#empty, this.#news);
    new ResizeObserver(() => this.#stick()).observe(this.#scroller);
    this.begin("");
  }

  /** Another run: nothing of the last one stays. @param {string} placeholder shown until the first line comes */
  begin(placeholder) {
    this.#model = new LogLines();
    this.#window.reset(this.#model.lines);
    this.say(placeholder);
    this.follow(true);
  }

  /** @param {string} placeholder */
  say(placeholder) {
    setText(this.#empty, placeholder);
    this.#empty.hidden = this.#model.lines.length > 0 || !placeholder;
  }

  /** @param {import("../core/types.js").LogRecord[]} records in order */
  write(records) {
    for (const record of records) this.#model.add(record);
    if (this.#scheduled) return;
    this.#scheduled = true;
    // Drawn at most once a frame; in a hidden tab frames don't come, there a timer does.
    if (document.hidden) setTimeout(() => this.#flush(), 250);
    else requestAnimationFrame(() => this.#flush());
  }

  /** @param {boolean} on keep the end in view */
  follow(on) {
    const changed = this.following !== on;
    this.following = on;
    this.#seenLines = this.#model.lines.length;
    this.#news.hidden = true;
    this.#stick();
    if (changed) this.dispatchEvent(new CustomEvent("following"));
  }

  /** @param {boolean} on break long lines */
  wrap(on) {
    this.toggleAttribute("data-wrap", on);
    this.#window.forgetHeights();
    this.#stick();
  }

  /** All of it without colours. */
  text() {
    return this.#model.lines.map((line) => `${plainText(line)}\n`).join("");
  }

  #flush() {
    this.#scheduled = false;
    const from = this.#model.takeChanged();
    if (from === null) return;
    this.#empty.hidden = true;
    this.#window.update(from);
    this.#stick();
    const fresh = this.#model.lines.length - this.#seenLines;
    if (this.following || fresh <= 0) return;
    setText(this.#news, `↓ ${plural(fresh, "new line")}`);
    this.#news.hidden = false;
  }

  #stick() {
    if (!this.following) return;
    this.#window.drawEnd();
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#top = this.#scroller.scrollTop;
  }

  #onScroll() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    const up = scrollTop < this.#top;
    const atEnd = scrollHeight - clientHeight - scrollTop <= NEAR_END;
    this.#top = scrollTop;
    if (this.following ? up && !atEnd : atEnd && !up) this.follow(!this.following);
  }
}

customElements.define("nf-log", LogView);
