/**
 * What the page holds of a log: pages of records that are near what is looked at; the rest is asked for again when it
 * is. A log of any length costs the same memory. Pure.
 */
import { Carry, gapLine } from "./log-lines.js";
import { plural } from "./format.js";

export const PAGE = 500; // records
export const PAGES_MAX = 48;
export const CHARACTERS_MAX = 12_000_000;

/**
 * @typedef {import("./types.js").LogRecord} LogRecord
 * @typedef {import("./log-lines.js").Line} Line
 *
 * @typedef {object} Page
 * @property {number} first its first record
 * @property {(LogRecord|null)[]} records as they came; null for one the server doesn't have
 * @property {(Line|null)[]} rows the line that begins with the record; null when it goes on with an earlier one
 * @property {Carry|null} entered what the page before left, when that was known
 * @property {Carry} carry
 * @property {number} characters
 * @property {number} used
 */

/** @param {number} seq */
export const pageOf = (seq) => Math.floor((seq - 1) / PAGE);

export class LogPages {
  /** Records there are, as far as is known. */
  total = 0;
  /** @type {Map<number, Page>} */ #pages = new Map();
  #clock = 0;

  get size() {
    return this.#pages.size;
  }

  get characters() {
    let sum = 0;
    for (const page of this.#pages.values()) sum += page.characters;
    return sum;
  }

  /** @param {number} seq @returns {Line|null|undefined} undefined: not here, to be asked for; null: nothing begins here */
  line(seq) {
    const page = this.#pages.get(pageOf(seq));
    if (!page) return undefined;
    page.used = this.#clock += 1;
    return page.rows[seq - page.first];
  }

  /**
   * Take records, in order. What doesn't follow what its page holds is left out: it is asked for when it is looked at.
   * @param {LogRecord[]} records
   * @returns {number} the first record whose line is new or changed, Infinity when none
   */
  add(records) {
    let changed = Infinity;
    for (const record of records) {
      this.total = Math.max(this.total, record.seq);
      const index = pageOf(record.seq);
      const at = record.seq - 1 - index * PAGE;
      const page = this.#pages.get(index) ?? (at === 0 ? this.#begin(index) : undefined);
      if (!page || at !== page.records.length) continue;
      page.records.push(record);
      changed = Math.min(changed, this.#parse(page, record));
      if (page.records.length === PAGE) changed = Math.min(changed, this.#handOn(index));
    }
    return changed;
  }

  /** The server has nothing from here to before `next`: one line says so. @param {number} seq @param {number} next */
  skip(seq, next) {
    this.total = Math.max(this.total, next - 1);
    for (let at = seq; at < next; at += 1) {
      const index = pageOf(at);
      const page = this.#pages.get(index) ?? this.#begin(index);
      if (at - page.first !== page.records.length) continue;
      page.records.push(null);
      page.rows.push(at === seq || at === page.first ? gapLine(at, `${plural(Math.min(next, page.first + PAGE) - at, "line")} missing here: the server no longer has them`) : null);
      page.carry = new Carry();
    }
  }

  /**
   * The first record that is not here, and how many to ask for, on the pages of these records.
   * @param {number} from @param {number} to inclusive
   * @returns {{from: number, count: number}|null}
   */
  missing(from, to) {
    const last = Math.min(to, this.total);
    for (let index = pageOf(Math.max(1, from)); index * PAGE < last; index += 1) {
      const end = Math.min((index + 1) * PAGE, this.total);
      const have = index * PAGE + (this.#pages.get(index)?.records.length ?? 0);
      if (have < end) return { from: have + 1, count: end - have };
    }
    return null;
  }

  /** The end of the log as far as it is here. @param {number} most records @returns {{lines: Line[], left: number}} `left`: records before */
  end(most) {
    const least = Math.max(0, this.total - most);
    let left = this.total;
    while (left > least && this.line(left) !== undefined) left -= 1;
    const rows = Array.from({ length: this.total - left }, (_, at) => this.line(left + 1 + at));
    return { lines: /** @type {Line[]} */ (rows.filter(Boolean)), left };
  }

  /** Let go of what is furthest from use; never of these records, nor of the end. @param {number} from @param {number} to */
  trim(from, to) {
    let { characters } = this;
    if (this.#pages.size <= PAGES_MAX && characters <= CHARACTERS_MAX) return;
    const end = pageOf(Math.max(1, this.total));
    const oldest = [...this.#pages].sort(([, a], [, b]) => a.used - b.used);
    for (const [index, page] of oldest) {
      if (this.#pages.size <= PAGES_MAX && characters <= CHARACTERS_MAX) return;
      if (index >= end - 1 || (index >= pageOf(Math.max(1, from)) && index <= pageOf(Math.max(1, to)))) continue;
      characters -= page.characters;
      this.#pages.delete(index);
    }
  }

  /** @param {number} index @returns {Page} */
  #begin(index) {
    const before = this.#pages.get(index - 1);
    const entered = before?.records.length === PAGE ? before.carry : null;
    /** @type {Page} */
    const page = { first: index * PAGE + 1, records: [], rows: [], entered, carry: entered?.copy() ?? new Carry(), characters: 0, used: (this.#clock += 1) };
    this.#pages.set(index, page);
    return page;
  }

  /** @param {Page} page @param {LogRecord} record @returns {number} first record of the line */
  #parse(page, record) {
    const { line, fresh } = page.carry.add(record);
    page.rows.push(fresh ? line : null);
    page.characters += record.line.length;
    return line.seq;
  }

  /**
   * A page is whole: where the next was read without knowing what this one leaves (a colour, a line unfinished), read
   * it once more.
   * @param {number} index @returns {number}
   */
  #handOn(index) {
    const { carry } = /** @type {Page} */ (this.#pages.get(index));
    const next = this.#pages.get(index + 1);
    if (!next || next.entered === carry || (carry.plain && (next.entered?.plain ?? true))) return Infinity;
    const { records } = next;
    this.#pages.delete(index + 1);
    const again = this.#begin(index + 1);
    let changed = again.first;
    for (const record of records) {
      again.records.push(record);
      if (record) changed = Math.min(changed, this.#parse(again, record));
      else again.rows.push(next.rows[again.rows.length]);
    }
    if (records.length === PAGE) this.#handOn(index + 1);
    return changed;
  }
}
