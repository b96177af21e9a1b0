/** What differs between two systems, in groups: `nix store diff-closures` line by line, and what a dry activation says of units. Pure. */

import { plural } from "./format.js";

/**
 * @typedef {{name: string, before: string, after: string, size: string}} Change
 * @typedef {{title: string, tone: string, changes: Change[]}} Group
 * @typedef {{groups: Group[], words: string, rest: string}} Difference `rest`: lines of another kind, as they came
 */

const SIZE = /(?:^|, )([+-]\d[\d.]* [KMGT]?i?B)$/;
const UNITS = /^would ((?:not )?\w+) the following(?: changed)? units: (.+)$/i;
const NOTHING = "∅"; // as Nix writes a package that is not there, and below one without a version
const NO_VERSION = "ε";

const KINDS = [
  { kind: "changed", title: "Changed", tone: "work" },
  { kind: "added", title: "New", tone: "ok" },
  { kind: "gone", title: "Gone", tone: "bad" },
  { kind: "rebuilt", title: "Same version, rebuilt", tone: "idle" },
  { kind: "units", title: "Units", tone: "work" },
];

/** @param {string} text @returns {Difference} */
export function differenceOf(text) {
  const found = text.split("\n").filter((line) => line.trim()).map(read);
  const groups = KINDS.map(({ kind, title, tone }) => ({ kind, title, tone, changes: found.filter((one) => one.kind === kind).map((one) => one.change) })).filter(({ changes }) => changes.length);
  const packages = groups.filter(({ kind }) => kind !== "units");
  const count = packages.reduce((sum, { changes }) => sum + changes.length, 0);
  return {
    groups,
    words: count ? plural(count, "package") : "",
    rest: found.filter((one) => one.kind === "").map((one) => one.change.name).join("\n"),
  };
}

/** @param {string} line @returns {{kind: string, change: Change}} */
function read(line) {
  const units = UNITS.exec(line);
  if (units) return { kind: "units", change: { name: `would ${units[1]}`, before: "", after: units[2], size: "" } };
  const [name, said] = split(line, ": ");
  const size = SIZE.exec(said)?.[1] ?? "";
  const [before, after] = split(said.replace(SIZE, ""), " → ");
  if (!name || name.includes(" ") || !(size || after)) return { kind: "", change: { name: line, before: "", after: "", size: "" } };
  const kind = !after ? "rebuilt" : before === NOTHING ? "added" : after === NOTHING ? "gone" : "changed";
  return { kind, change: { name, before: version(before), after: version(after), size } };
}

/** @param {string} text @param {string} mark @returns {[string, string]} what stands before the mark and after it */
function split(text, mark) {
  const at = text.indexOf(mark);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + mark.length)];
}

/** @param {string} text */
const version = (text) => (text === NOTHING ? "" : text === NO_VERSION ? "no version" : text);
