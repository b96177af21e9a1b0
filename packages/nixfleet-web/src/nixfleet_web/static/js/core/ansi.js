/**
 * Terminal output to styled text. Colours and weights (SGR) are kept; every other escape sequence, and with it the title
 * changes, cursor moves, links and clipboard writes a hostile program could send, is swallowed. A parser keeps its
 * place between calls, so a sequence cut in two by a record's end is still seen as one.
 */
import { indexed, rgb } from "./palette.js";

/**
 * @typedef {Readonly<{fg?: string, bg?: string, bold?: true, dim?: true, italic?: true, underline?: true, strike?: true,
 *   inverse?: true}>} Style
 * @typedef {{text: string, style: Style|null}} Span
 * @typedef {Span|typeof CR} Piece CR: the cursor went back to the start of the line
 */

export const CR = Symbol("carriage return");

const UNFINISHED_MAX = 256; // a colour sequence is never this long

/**
 * Where each kind of sequence ends. Takes its text after the introducer; answers with the length of the body and the
 * length with its end, or null while the end has not come.
 * @type {Record<string, (text: string) => [number, number]|null>}
 */
const END = {
  csi: (text) => ending(/^[\x20-\x3f]*/, /[\x40-\x7e]/, text),
  two: (text) => ending(/^[\x20-\x2f]*/, /[\x30-\x7e]/, text),
  string(text) {
    const match = /[\x07\x18\x1a\x9c]|\x1b(.|$)/s.exec(text);
    if (!match || match[0] === "\x1b") return null;
    if (match[0][0] !== "\x1b" || match[1] === "\\") return [match.index, match.index + match[0].length];
    return [match.index, match.index]; // ESC begins another sequence: this one is off
  },
};

const INTERESTING = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u{10ff80}-\u{10ffff}]/u;

export class Ansi {
  /** @type {Style|null} */
  #style = null;
  #held = ""; // a sequence that has begun and not ended

  /**
   * @param {string} text
   * @returns {Piece[]}
   */
  feed(text) {
    let rest = this.#held + text;
    this.#held = "";
    /** @type {Piece[]} */
    const pieces = [];
    while (rest) {
      const at = rest.search(INTERESTING);
      if (at < 0) {
        pieces.push({ text: rest, style: this.#style });
        break;
      }
      if (at > 0) pieces.push({ text: rest.slice(0, at), style: this.#style });
      rest = this.#control(rest.slice(at), pieces);
    }
    return pieces;
  }

  /** A parser that goes on from here by itself. */
  copy() {
    const other = new Ansi();
    other.#style = this.#style;
    other.#held = this.#held;
    return other;
  }

  /** Nothing of what was seen bears on what comes. */
  get plain() {
    return this.#style === null && this.#held === "";
  }

  /** The line is over: a sequence left unfinished does not swallow the next one. The colour goes on, as in a terminal. */
  endLine() {
    this.#held = "";
  }

  /**
   * @param {string} text begins with a control character
   * @param {Piece[]} pieces
   * @returns {string} what follows it
   */
  #control(text, pieces) {
    const code = /** @type {number} */ (text.codePointAt(0));
    if (code === 0x1b || (code >= 0x80 && code <= 0x9f)) return this.#escape(text);
    if (code === 0x0d) pieces.push(CR);
    else if (code >= 0x10ff80) return this.#rawBytes(text, pieces);
    else if (code !== 0x07 && code !== 0x08 && code !== 0x7f) {
      pieces.push({ text: String.fromCharCode(0x2400 + code), style: this.#style }); // ␀ and its like: visible, harmless
    }
    return text.slice(1);
  }

  /** Bytes that were not UTF-8 (nixfleet_protocol.text) as \xNN. @param {string} text @param {Piece[]} pieces */
  #rawBytes(text, pieces) {
    let shown = "";
    let length = 0;
    for (const character of text) {
      const code = /** @type {number} */ (character.codePointAt(0));
      if (code < 0x10ff80) break;
      shown += `\\x${(code - 0x10ff00).toString(16).toUpperCase()}`;
      length += character.length;
    }
    pieces.push({ text: shown, style: this.#style });
    return text.slice(length);
  }

  /** @param {string} text begins with ESC or a C1 control @returns {string} what follows the sequence */
  #escape(text) {
    const [kind, start] = introducer(text);
    if (kind === "none") return text.slice(start);
    const tail = text.slice(start);
    const end = kind === "wait" ? null : END[kind](tail);
    if (!end) {
      // Of a long string (an image, say) nothing has to be kept but that we are inside it.
      if (kind === "string") this.#held = text.slice(0, start) + (tail.endsWith("\x1b") ? "\x1b" : "");
      else if (text.length <= UNFINISHED_MAX) this.#held = text;
      return "";
    }
    const [body, length] = end;
    if (kind === "csi" && /^[\d;:]*m$/.test(tail.slice(0, length))) this.#style = sgr(this.#style, tail.slice(0, body));
    return tail.slice(length);
  }
}

/** @param {RegExp} body @param {RegExp} final @param {string} text @returns {[number, number]|null} */
function ending(body, final, text) {
  const length = /** @type {RegExpExecArray} */ (body.exec(text))[0].length;
  if (length === text.length) return null;
  return [length, final.test(text[length]) ? length + 1 : length]; // something else there: the sequence is broken off
}

/** @type {Record<string, string>} 7-bit and 8-bit forms */
const INTRODUCERS = {
  "[": "csi", "\x9b": "csi",
  "]": "string", "\x9d": "string", P: "string", "\x90": "string", X: "string", "\x98": "string",
  "^": "string", "\x9e": "string", _: "string", "\x9f": "string",
};

/** @param {string} text @returns {[string, number]} the kind of sequence and where its body begins */
function introducer(text) {
  if (text[0] !== "\x1b") return [INTRODUCERS[text[0]] ?? "none", 1];
  if (text.length === 1) return ["wait", 1];
  const kind = INTRODUCERS[text[1]];
  if (kind && text[1] < "\x80") return [kind, 2];
  return /[\x20-\x7e]/.test(text[1]) ? ["two", 1] : ["none", 1]; // ESC before something odd: only ESC goes
}

/** SGR codes that set or clear one thing. @type {Record<number, Record<string, string|true|undefined>>} */
const CODES = {
  1: { bold: true }, 2: { dim: true }, 3: { italic: true }, 4: { underline: true }, 7: { inverse: true },
  9: { strike: true }, 21: { underline: true }, 22: { bold: undefined, dim: undefined }, 23: { italic: undefined },
  24: { underline: undefined }, 27: { inverse: undefined }, 29: { strike: undefined },
  39: { fg: undefined }, 49: { bg: undefined },
};
for (let colour = 0; colour < 8; colour += 1) {
  CODES[30 + colour] = { fg: String(colour) };
  CODES[40 + colour] = { bg: String(colour) };
  CODES[90 + colour] = { fg: String(colour + 8) };
  CODES[100 + colour] = { bg: String(colour + 8) };
}

/** @param {Style|null} before @param {string} body as "1;38;5;208" @returns {Style|null} */
function sgr(before, body) {
  const codes = body.split(";").map((code) => code.split(":"));
  /** @type {Record<string, any>} */
  let style = { ...before };
  for (let at = 0; at < codes.length; at += 1) {
    const [code, ...sub] = codes[at];
    if (Number(code) === 0) style = {};
    else if (code === "38" || code === "48") {
      // "38:2::R:G:B" has all in one code (and a colour space), "38;2;R;G;B" takes the codes that follow.
      const given = sub.length ? sub : codes.slice(at + 1).map(([first]) => first);
      const [colour, used] = extended(sub[0] === "2" && sub.length > 4 ? ["2", ...sub.slice(2)] : given);
      if (colour) style[code === "38" ? "fg" : "bg"] = colour;
      if (!sub.length) at += used;
    } else Object.assign(style, CODES[Number(code)] ?? {});
  }
  const entries = Object.entries(style).filter(([, value]) => value !== undefined);
  return entries.length ? Object.freeze(Object.fromEntries(entries)) : null;
}

/** @param {string[]} codes what follows 38 or 48 @returns {[string|null, number]} the colour, and how many codes it took */
function extended(codes) {
  const [kind, ...values] = codes.map(Number);
  const inRange = (/** @type {number[]} */ some) => some.every((value) => value >= 0 && value <= 255);
  if (kind === 5 && values.length >= 1 && inRange([values[0]])) return [indexed(values[0]), 2];
  const colour = values.slice(0, 3);
  if (kind === 2 && colour.length === 3 && inRange(colour)) return [rgb(colour[0], colour[1], colour[2]), 4];
  return [null, codes.length];
}
