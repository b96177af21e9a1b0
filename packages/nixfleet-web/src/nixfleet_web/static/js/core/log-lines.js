/**
 * A log's records as the lines one sees: pieces of a long line are joined, a `\r` starts the line over (progress bars),
 * each stream keeps its own colours. Pure; knows neither clock nor page.
 */
import { Ansi, CR } from "./ansi.js";

/**
 * @typedef {object} Line
 * @property {import("./ansi.js").Span[]} spans
 * @property {"stdout"|"stderr"|"note"} stream
 * @property {number} at milliseconds since 1970, of its first record
 * @property {number} length characters shown
 * @property {number} hidden characters left out because the line is too long to show
 */

export const SHOWN_MAX = 20_000; // characters of one line in the page; a line of a megabyte would stall layout

export class LogLines {
  /** @type {Line[]} */
  lines = [];
  /** Lowest index changed or added since `takeChanged`; null when none. @type {number|null} */
  #changed = null;
  /** @type {Map<string, {ansi: Ansi, open: number|null, back: boolean}>} */
  #streams = new Map();

  /** @param {import("./types.js").LogRecord} record the next one */
  add(record) {
    const stream = this.#stream(record.stream);
    const index = stream.open ?? this.#begin(record);
    const line = this.lines[index];
    for (const piece of stream.ansi.feed(record.line)) {
      if (piece === CR) stream.back = true;
      else {
        if (stream.back) clear(line); // only when something follows: "text\r" before the end of the line stays
        stream.back = false;
        append(line, piece);
      }
    }
    stream.open = record.partial ? index : null;
    if (!record.partial) {
      stream.ansi.endLine();
      stream.back = false;
    }
    this.#changed = Math.min(this.#changed ?? index, index);
  }

  /** @returns {number|null} index of the first line that is new or changed since the last call */
  takeChanged() {
    const changed = this.#changed;
    this.#changed = null;
    return changed;
  }

  /** @param {string} name */
  #stream(name) {
    let stream = this.#streams.get(name);
    if (!stream) this.#streams.set(name, (stream = { ansi: new Ansi(), open: null, back: false }));
    return stream;
  }

  /** @param {import("./types.js").LogRecord} record */
  #begin(record) {
    return this.lines.push({ spans: [], stream: record.stream, at: record.at, length: 0, hidden: 0 }) - 1;
  }
}

/** @param {Line} line */
const clear = (line) => Object.assign(line, { spans: [], length: 0, hidden: 0 });

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
