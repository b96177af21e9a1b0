/**
 * What there is to find in a log: its parts (NixFleet's notes name the step: `pull: …`, `test: 3/10 T03-dns.sh`),
 * its first error, what was left out. Collected from records as they come by, in any order. Pure.
 */
import { duration } from "./format.js";

/** @typedef {{seq: number, at: number, step: string, title: string, outcome: string}} Part `outcome` of a test: passed, failed */

const HEADING = /^([a-z][a-z-]{1,20}): (.*)$/s;
const TEST_ENDS = /^(\S+) (passed|failed)\b/;
const TEST_BEGINS = /^\d+\/\d+ (.+)$/;
const ERROR = /(?:^|[\s>\])])(?:error|fatal|panic|fehler)(?:\[[^\]]*\]|\s*\([^)]*\))?:|^Traceback \(most recent call last\)/i;
const ESCAPE = /\x1b\[[\d;:]*[A-Za-z]/g;
const LEFT_OUT = /^\[(?:\d+ bytes of output were not kept|output was lost|this record broke|the disk refused output)/;

const LOOKED_AT = 1000; // characters of a line: an error says so early, and a hostile line costs little
export const PARTS_MAX = 2000; // notes kept: a host that makes a million of them gains nothing

/** @param {string} text as it came */
export const isError = (text) => ERROR.test(text.slice(0, LOOKED_AT).replace(ESCAPE, ""));

/** NixFleet's own word that something is not there. @param {string} text of a note */
export const isLeftOut = (text) => LEFT_OUT.test(text);

export class LogParts {
  /** @type {Map<number, Part>} notes that could begin a part */ #notes = new Map();
  /** @type {Map<string, string>} how tests ended, by name */ #outcomes = new Map();
  /** First records of lines that tell an error, as far as looked at. @type {number|null} */
  firstError = null;
  changed = false;
  /** @type {Part[]|null} */ #parts = null;

  /** @param {import("./types.js").LogRecord} record */
  see(record) {
    if (record.stream === "note") this.#note(record);
    else if ((this.firstError === null || record.seq < this.firstError) && isError(record.line)) this.firstError = record.seq;
  }

  /** Where a part begins: another step than before, or the next test. @returns {Part[]} rising */
  get parts() {
    if (this.#parts) return this.#parts;
    const notes = [...this.#notes.values()].sort((a, b) => a.seq - b.seq);
    const parts = [];
    let step = "";
    for (const note of notes) {
      if (note.step !== step || note.title !== "") parts.push({ ...note, title: note.title || note.step, outcome: this.#outcomes.get(note.title) ?? "" });
      step = note.step;
    }
    return (this.#parts = parts);
  }

  /** @param {number} seq @returns {Part|null} the part that the record is in */
  partOf(seq) {
    return this.parts.findLast((part) => part.seq <= seq) ?? null;
  }

  /** @param {import("./types.js").LogRecord} record */
  #note({ seq, at, line }) {
    const [, step, rest] = HEADING.exec(line) ?? [];
    if (!step || this.#notes.has(seq) || this.#notes.size >= PARTS_MAX) return;
    const test = step === "test" ? TEST_BEGINS.exec(rest)?.[1] : undefined;
    const [, name, outcome] = (step === "test" && TEST_ENDS.exec(rest)) || [];
    if (name) this.#outcomes.set(name, outcome);
    this.#notes.set(seq, { seq, at, step, title: test ?? "", outcome: "" });
    this.#parts = null;
    this.changed = true;
  }
}

/**
 * How long each part took: to the next one's beginning, the last to the end of the run.
 * @param {Part[]} parts @param {number|null} end milliseconds by the host's clock, as far as known
 * @returns {Map<number, string>} by the part's first record
 */
export function lengths(parts, end) {
  const found = new Map();
  parts.forEach((part, at) => {
    const until = parts[at + 1]?.at ?? end;
    if (until !== null && until >= part.at) found.set(part.seq, duration(until - part.at));
  });
  return found;
}
