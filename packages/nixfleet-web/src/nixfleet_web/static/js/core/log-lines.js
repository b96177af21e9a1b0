/**
 * A log's records as the lines one sees: pieces of a long line are joined, a `\r` starts the line over (progress bars),
 * each stream keeps its own colours. Pure; knows neither clock nor page.
 */
import { Ansi, CR } from "./ansi.js";

/**
 * @typedef {object} Line
 * @property {import("./ansi.js").Span[]} spans
 * @property {"stdout"|"stderr"|"note"|"gap"} stream `gap`: this page's own word about records that are not there
 * @property {number} seq its first record
 * @property {number} through its last record so far
 * @property {number} at milliseconds since 1970, of its first record
 * @property {number} length characters shown
 * @property {number} hidden characters left out because the line is too long to show
 * @property {number} folded how often it was written over
 */

export const SHOWN_MAX = 20_000; // characters of one line in the page; a line of a megabyte would stall layout

/** Where each stream is between two records: its colour, its unfinished line. */
export class Carry {
  /** @type {Map<string, {ansi: Ansi, line: Line|null, back: boolean}>} */
  #streams = new Map();

  /** Goes on by itself; an unfinished line is the same one, for the records that come to finish it. */
  copy() {
    const other = new Carry();
    for (const [name, { ansi, line, back }] of this.#streams) other.#streams.set(name, { ansi: ansi.copy(), line, back });
    return other;
  }

  /** Nothing of what was seen bears on what comes. */
  get plain() {
    return [...this.#streams.values()].every(({ ansi, line }) => ansi.plain && line === null);
  }

  /**
   * @param {import("./types.js").LogRecord} record the next one
   * @returns {{line: Line, fresh: boolean}} the line it begins, or goes on with
   */
  add(record) {
    const stream = this.#stream(record.stream);
    const fresh = stream.line === null;
    const line = stream.line ?? begin(record);
    const known = record.seq <= line.through && !fresh; // a page that was loaded again: the line has this already
    for (const piece of stream.ansi.feed(record.line)) {
      if (piece === CR) stream.back = true;
      else {
        if (stream.back && !known) clear(line); // only when something follows: "text\r" before the end of the line stays
        stream.back = false;
        if (!known) append(line, piece);
      }
    }
    line.through = Math.max(line.through, record.seq);
    stream.line = record.partial ? line : null;
    if (!record.partial) {
      stream.ansi.endLine();
      stream.back = false;
    }
    return { line, fresh };
  }

  /** @param {string} name */
  #stream(name) {
    let stream = this.#streams.get(name);
    if (!stream) this.#streams.set(name, (stream = { ansi: new Ansi(), line: null, back: false }));
    return stream;
  }
}

/** @param {import("./types.js").LogRecord} record @returns {Line} */
const begin = ({ seq, at, stream }) => ({ spans: [], stream, seq, through: seq, at, length: 0, hidden: 0, folded: 0 });

/** A line of this page's own. @param {number} seq @param {string} text @returns {Line} */
export function gapLine(seq, text) {
  const spans = [{ text, style: null }];
  return { spans, stream: "gap", seq, through: seq, at: 0, length: text.length, hidden: 0, folded: 0 };
}

/** @param {Line} line */
const clear = (line) => Object.assign(line, { spans: [], length: 0, hidden: 0, folded: line.folded + 1 });

/** @param {Line} line @param {import("./ansi.js").Span} span */
function append(line, span) {
  const room = SHOWN_MAX - line.length;
  if (span.text.length > room) {
    line.hidden += span.text.length - room;
    if (room === 0) return;
    span = { ...span, text: span.text.slice(0, room) };
  }
  line.length += span.text.length;
  const last = line.spans.at(-1);
  if (last && last.style === span.style) line.spans[line.spans.length - 1] = { ...last, text: last.text + span.text };
  else line.spans.push(span);
}

/** What the line says, without colours. @param {Line} line */
export const plainText = (line) => line.spans.map((span) => span.text).join("");

/**
 * All the lines of some records from the first on.
 * @param {Iterable<import("./types.js").LogRecord>} records @returns {Line[]}
 */
export function toLines(records) {
  const carry = new Carry();
  const lines = [];
  for (const record of records) {
    const { line, fresh } = carry.add(record);
    if (fresh) lines.push(line);
  }
  return lines;
}
