/**
 * A log as it is read: what came live, what is asked for because somebody looks at it, what is found in it. Asks one
 * thing at a time; what fails is asked for again by `retry`.
 */
import { LogPages, PAGE, pageOf } from "../core/log-pages.js";
import { LogParts, isError } from "../core/log-parts.js";
import * as searches from "../core/log-search.js";
import { READ_MAX } from "./log-source.js";

const TAIL = 2 * PAGE; // followed from here at most before the end
const INDEXED_MAX = 30_000; // a log of so many records is read through for its parts; of a longer one, what is looked at
const ESCAPES = /\x1b(?:\[[\d;:?]*[A-Za-z]|\][^\x07\x1b]*(?:\x07|\x1b\\))/g;

/**
 * @typedef {import("../core/types.js").LogRecord} LogRecord
 * @typedef {object} Listener
 * @property {(from: number, to: number) => void} onLines lines of these records came or changed
 * @property {() => void} onParts
 * @property {() => void} onSearch
 */

export class LogData {
  pages = new LogPages();
  parts = new LogParts();
  search = searches.none();
  /** Everything before this record was looked at for parts and errors. */
  whole = false;
  /** When the newest record was printed, by the host's clock. @type {number|null} */
  lastAt = null;
  #next; // what the live stream brings next
  #reading = false;
  /** @type {number|null} */ #moreFrom = null; // where the server has more matches
  #closed = false;
  /** @type {[number, number]} */ #wanted = [1, 0];

  /** @param {import("./log-source.js").Source|null} source null: only what comes live @param {number} total records known to be there @param {Listener} listener */
  constructor(source, total, listener) {
    this.source = source;
    this.listener = listener;
    this.pages.total = total;
    this.from = source ? Math.max(1, (pageOf(Math.max(1, total)) * PAGE) + 1 - TAIL) : 1;
    this.#next = this.from;
    if (this.from === 1) this.whole = true;
    else void this.#index();
  }

  /** Live records, in order. @param {LogRecord[]} records @returns {number} the first record whose line changed */
  take(records) {
    const changed = this.pages.add(records);
    this.#next = Math.max(this.#next, (records.at(-1)?.seq ?? 0) + 1);
    this.lastAt = records.at(-1)?.at ?? this.lastAt;
    this.#see(records);
    if (this.search.words && !this.search.busy) this.#match(records);
    return changed;
  }

  /** These records are looked at. @param {number} from @param {number} to */
  look(from, to) {
    this.#wanted = [Math.max(1, from - PAGE / 2), to + PAGE / 2];
    this.pages.trim(...this.#wanted);
    void this.#read();
  }

  /** There is a connection again. */
  retry() {
    void this.#read();
    if (!this.whole) void this.#index();
  }

  close() {
    this.#closed = true;
    this.search = searches.none();
  }

  /** The log's first error, also where it has not been looked at yet. @returns {Promise<number|null>} */
  async firstError() {
    if (this.whole || !this.source) return this.parts.firstError;
    for (const words of ["error:", "fatal:"]) {
      const found = await this.source.search(words, 1);
      if (found === null) break;
      if (found.seqs.length) return found.seqs[0];
    }
    for await (const records of this.all()) {
      const hit = records.find((record) => record.stream !== "note" && isError(record.line));
      if (hit) return hit.seq;
    }
    return this.parts.firstError;
  }

  /** Every record from here on, in pieces. @param {number} [from] @param {number} [to] */
  async *all(from = 1, to = Infinity) {
    for (let seq = from; this.source && !this.#closed && seq <= Math.min(to, this.pages.total); ) {
      const { records, next } = await this.source.read(seq, READ_MAX);
      if (!records.length) return;
      yield records;
      seq = next;
    }
  }

  /** @param {string} words @param {number} near the match to look at first is at or after this record */
  async find(words, near) {
    const mine = (this.search = searches.begin(words));
    this.#moreFrom = null;
    this.listener.onSearch();
    const current = () => !this.#closed && this.search.words === mine.words;
    if (!words) return;
    try {
      if (!(await this.#findThere(near, current))) await this.#findHere(near, current);
    } catch {
      // no connection: what was found stands, and says so by its dots
    }
    if (current()) this.listener.onSearch();
  }

  /** The next matches, where there are more than are known. @returns {Promise<void>} */
  async more() {
    const { words, seqs } = this.search;
    if (!this.#moreFrom || seqs.length >= searches.MATCHES_MAX) return;
    await this.#findThere(0, () => !this.#closed && this.search.words === words).catch(() => {});
  }

  /**
   * A piece at a time, until one reaches the record: each costs the server a look at the whole log.
   * @param {number} near @param {() => boolean} current @returns {Promise<boolean>} false: the server doesn't search
   */
  async #findThere(near, current) {
    do {
      const found = this.source && (await this.source.search(this.search.words, this.#moreFrom ?? 1));
      if (!found) return false;
      if (!current()) return true;
      this.#moreFrom = found.next;
      const reached = (found.seqs.at(-1) ?? 0) >= near;
      this.#add(found.seqs, found.total, found.next !== null && !reached, near);
    } while (this.search.busy && this.search.seqs.length < searches.MATCHES_MAX);
    this.#add([], this.search.total, false, near);
    return true;
  }

  /** @param {number} near @param {() => boolean} current */
  async #findHere(near, current) {
    for await (const records of this.all()) {
      if (!current()) return;
      this.#add(this.#matching(records), null, true, near);
      await new Promise((done) => setTimeout(done)); // the page lives on meanwhile
    }
    if (current()) this.#add([], null, false, near);
  }

  /** @param {number[]} seqs @param {number|null} total @param {boolean} busy @param {number} near */
  #add(seqs, total, busy, near) {
    this.search = searches.found(this.search, seqs, total, busy);
    // Until it is known which match is the nearest, none is looked at: the view would jump from one to the next.
    const told = !busy || (this.search.seqs.at(-1) ?? 0) >= near;
    if (this.search.at < 0 && told) this.search = searches.nearest(this.search, near);
    this.listener.onSearch();
  }

  /** @param {LogRecord[]} records */
  #matching(records) {
    const { words } = this.search;
    return records.filter((record) => searches.places(record.line.replace(ESCAPES, ""), words).length).map((record) => record.seq);
  }

  /** @param {LogRecord[]} records */
  #match(records) {
    const seqs = this.#matching(records);
    if (!seqs.length) return;
    this.search = searches.found(this.search, seqs, null, false);
    this.listener.onSearch();
  }

  async #read() {
    if (this.#reading || !this.source) return;
    this.#reading = true;
    try {
      for (;;) {
        const [from, to] = this.#wanted;
        const gap = this.pages.missing(from, Math.min(to, this.#next - 1));
        if (!gap || this.#closed) break;
        await this.#readGap(gap.from, gap.count);
      }
    } catch {
      // told by the page's banner; asked for again when there is a connection
    }
    this.#reading = false;
  }

  /** @param {number} from @param {number} count */
  async #readGap(from, count) {
    const { records } = await /** @type {import("./log-source.js").Source} */ (this.source).read(from, count);
    if (this.#closed) return;
    const first = records[0]?.seq ?? from + count;
    if (first > from) this.pages.skip(from, first);
    const changed = Math.min(from, this.pages.add(records));
    if (!this.whole) this.#see(records);
    this.listener.onLines(changed, records.at(-1)?.seq ?? first - 1);
  }

  /** Learn the parts of what lies before the followed end. */
  async #index() {
    if (this.from > INDEXED_MAX) return;
    try {
      for await (const records of this.all(1, this.from - 1)) this.#see(records);
      this.whole = !this.#closed;
      this.listener.onParts(); // the first error may be known now
    } catch {
      // again with the next connection
    }
  }

  /** @param {LogRecord[]} records */
  #see(records) {
    const error = this.parts.firstError;
    for (const record of records) this.parts.see(record);
    if (!this.parts.changed && error === this.parts.firstError) return;
    this.parts.changed = false;
    this.listener.onParts();
  }
}
