/**
 * <nf-log>: a run's output, live and whole. `begin` opens a log, `write` adds what comes live; it follows the end until
 * the reader scrolls up, and says how much has come since. Tells with a `following` event when that changes, and with
 * `tell` (detail: words) what the operator should know.
 */
import { plural } from "../core/format.js";
import { step } from "../core/log-search.js";
import { LogData } from "../shell/log-data.js";
import { recall, remember } from "../shell/preferences.js";
import { make, setText } from "./dom.js";
import { LogBar } from "./log-bar.js";
import { listenToKeys } from "./log-keys.js";
import { openMore } from "./log-more.js";
import { LogPane } from "./log-pane.js";
import { copyLink, copyLog, layHeld, plainLines, printLog } from "./log-take.js";

const NEAR_END = 50; // pixels: nobody means to leave the end by less

/** @typedef {{source?: import("../shell/log-source.js").Source|null, total?: number, line?: number|null, title?: string, download?: string, href?: (seq: number) => string}} Opening `href` of 0: the run's */

export class LogView extends HTMLElement {
  following = true;
  #data = new LogData(null, 0, this.#listener());
  /** @type {Opening} */ #opening = {};
  #pane = new LogPane();
  #news = make("button", "log-new");
  #empty = make("p", "log-empty");
  #act = {
    error: () => void this.toError(),
    follow: () => this.follow(!this.following),
    times: () => this.#choose("times", !this.hasAttribute("data-times")),
    wrap: () => this.wrap(!this.hasAttribute("data-wrap")),
    fold: () => (this.#pane.foldAll(!this.#pane.folded), this.#drawBar()),
    link: () => void this.#copyLink(this.#pane.here()),
    runLink: () => void this.#copyLink(0),
    copy: async () => this.#tell(await copyLog(this.#data, this.#pane.scroller)),
    print: () => void printLog(this.#data, this.#title),
    full: () => this.#full(!this.hasAttribute("data-full")),
    more: (/** @type {HTMLElement} */ button) => openMore(button, this.#act, this.#opening.download ?? "", this.hasAttribute("data-full")),
  };
  #bar = new LogBar({
    find: (words) => this.#find(words),
    step: (way) => void this.#step(way),
    leave: () => this.#pane.scroller.focus({ preventScroll: true }),
    act: this.#act,
  });
  /** @type {Record<string, () => void>} with the focus in the log */
  #keys = {
    "/": () => this.#bar.focus(), e: this.#act.error, f: this.#act.follow, t: this.#act.times, w: this.#act.wrap, l: this.#act.link,
    n: () => void this.#step(1), N: () => void this.#step(-1), Home: () => (this.follow(false), this.#pane.toStart()), End: () => this.follow(true),
  };
  #seenLines = 0; // records when the reader left the end
  #changed = Infinity;
  #scheduled = false;
  /** @type {number|null} */ #found = null; // the match that was gone to

  connectedCallback() {
    if (this.#pane.scroller.isConnected) return;
    this.#news.setAttribute("type", "button");
    this.#news.hidden = true;
    this.#news.addEventListener("click", () => this.follow(true));
    this.#pane.scroller.addEventListener("scroll", () => this.#onScroll(), { passive: true });
    listenToKeys(this, this.#keys, () => this.#escape(), { f: () => this.#bar.focus(), p: () => (this.#act.print(), true) });
    addEventListener("beforeprint", () => this.getClientRects().length && layHeld(this.#data, this.#title));
    const pane = make("div", "log-pane");
    pane.append(this.#pane.scroller, this.#empty, this.#news);
    this.append(this.#bar.element, this.#bar.lost, pane);
    new ResizeObserver(() => (this.#pane.resized(), this.#stick())).observe(this.#pane.scroller);
    this.#choose("wrap", recall("wrap", matchMedia("(max-width: 900px)").matches ? "yes" : "no") === "yes");
    this.#choose("times", recall("times", "no") === "yes");
    this.begin("");
  }

  /**
   * Another run: nothing of the last one stays.
   * @param {string} placeholder shown until the first line comes @param {Opening} [opening]
   * @returns {number} the record from which on it has to be followed
   */
  begin(placeholder, opening = {}) {
    this.#data.close();
    this.#opening = opening;
    this.#data = new LogData(opening.source ?? null, opening.total ?? 0, this.#listener());
    this.#changed = Infinity;
    this.#found = null;
    this.#bar.clear();
    this.#bar.count(this.#data.search);
    this.#bar.download(opening.download ?? "");
    this.#pane.open(this.#data, opening.href ?? (() => ""));
    this.#drawBar();
    this.say(placeholder);
    this.follow(true);
    if (opening.line) this.goTo(opening.line);
    return this.#data.from;
  }

  /** @param {string} placeholder */
  say(placeholder) {
    setText(this.#empty, placeholder);
    this.#empty.hidden = this.#data.pages.total > 0 || !placeholder;
  }

  /** @param {import("../core/types.js").LogRecord[]} records in order */
  write(records) {
    this.#changed = Math.min(this.#changed, this.#data.take(records));
    if (this.#scheduled) return;
    this.#scheduled = true;
    // Drawn at most once a frame; in a hidden tab frames don't come, there a timer does.
    if (document.hidden) setTimeout(() => this.#flush(), 250);
    else requestAnimationFrame(() => this.#flush());
  }

  /** The run has ended: the last part too has its length. */
  end() {
    if (this.#pane.end(this.#data.lastAt)) this.#drawParts();
  }

  /** There is a connection again. */
  retry = () => this.#data.retry();

  /** @param {boolean} on keep the end in view */
  follow(on) {
    const changed = this.following !== on;
    this.following = on;
    this.#seenLines = this.#data.pages.total;
    this.#news.hidden = true;
    this.#bar.press("follow", on);
    this.#stick();
    if (changed) this.dispatchEvent(new CustomEvent("following"));
  }

  /** @param {boolean} on break long lines */
  wrap(on) {
    this.#choose("wrap", on);
    this.#pane.redraw();
    this.#stick();
  }

  /** Look at a record. @param {number} seq */
  goTo(seq) {
    this.follow(false);
    this.#pane.goTo(Math.max(1, Math.min(seq, this.#data.pages.total || seq)));
    this.#drawBar();
  }

  async toError() {
    const seq = await this.#data.firstError().catch(() => null);
    if (seq !== null) this.goTo(seq);
    else this.#tell("No line of this log tells of an error");
    this.#pane.scroller.focus({ preventScroll: true });
  }

  /** All of it without colours. */
  text = async () => (await plainLines(this.#data)).map((line) => `${line}\n`).join("");

  /** @returns {import("../shell/log-data.js").Listener} */
  #listener() {
    return {
      onLines: (from, to) => (this.#pane.refresh(from, to), this.#stick()),
      onParts: () => this.#drawParts(),
      onSearch: () => this.#drawSearch(),
    };
  }

  #drawParts = () => (this.#pane.drawParts(), this.#drawBar());

  #drawBar() {
    const { parts, firstError } = this.#data.parts;
    this.#bar.offer("error", firstError !== null || !this.#data.whole);
    this.#bar.offer("fold", parts.length > 1);
    this.#bar.press("fold", this.#pane.folded);
  }

  #find = (/** @type {string} */ words) => void (words !== this.#data.search.words && this.#data.find(words, this.#pane.topSeq));

  #drawSearch() {
    const { search } = this.#data;
    this.#bar.count(search);
    this.#pane.redraw();
    if (search.at >= 0 && this.#found !== search.seqs[search.at]) this.goTo(search.seqs[search.at]);
    this.#found = search.seqs[search.at] ?? null;
  }

  /** @param {1|-1} way */
  async #step(way) {
    if (way > 0 && this.#data.search.at === this.#data.search.seqs.length - 1) await this.#data.more();
    this.#data.search = step(this.#data.search, way);
    this.#drawSearch();
  }

  /** @param {"wrap"|"times"} name @param {boolean} on */
  #choose(name, on) {
    this.toggleAttribute(`data-${name}`, on);
    this.#bar.press(name, on);
    remember(name, on ? "yes" : "no");
  }

  /** @param {boolean} on */
  #full(on) {
    this.toggleAttribute("data-full", on);
    this.#bar.press("full", on);
    this.#pane.redraw();
    this.#stick();
    this.#pane.scroller.focus({ preventScroll: true });
  }

  get #title() {
    return this.#opening.title ?? "Log";
  }

  /** @param {number|null} line 0: to the run; null: there is none */
  async #copyLink(line) {
    if (line !== null && this.#opening.href) this.#tell(await copyLink(this.#opening.href(line), line));
  }

  #tell = (/** @type {string} */ words) => void (words && this.dispatchEvent(new CustomEvent("tell", { detail: words })));

  #flush() {
    this.#scheduled = false;
    const changed = this.#changed;
    this.#changed = Infinity;
    if (changed === Infinity && this.#data.pages.total === this.#seenLines) return;
    this.#empty.hidden = true;
    this.#pane.update(Math.min(changed, this.#data.pages.total));
    this.#stick();
    const fresh = this.#data.pages.total - this.#seenLines;
    if (this.following || fresh <= 0) return;
    setText(this.#news, `↓ ${plural(fresh, "new line")}`);
    this.#news.hidden = false;
  }

  #stick = () => void (this.following && this.#pane.toEnd());

  #onScroll() {
    const moved = this.#pane.scrolled();
    if (moved === 0) return;
    const { scrollTop, scrollHeight, clientHeight } = this.#pane.scroller;
    const atEnd = scrollHeight - clientHeight - scrollTop <= NEAR_END;
    if (this.following ? moved < 0 && !atEnd : atEnd && moved > 0) this.follow(!this.following);
  }

  /** Out of the search, then of the full screen. @returns {boolean} false: there was nothing to leave */
  #escape() {
    if (this.#bar.end()) return true;
    const full = this.hasAttribute("data-full");
    if (full) this.#full(false);
    return full;
  }
}

customElements.define("nf-log", LogView);
