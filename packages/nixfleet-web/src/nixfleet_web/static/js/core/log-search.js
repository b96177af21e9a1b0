/** A search in a log: where it matches, and which match is looked at. Pure values. */

import { digits } from "./format.js";

export const MATCHES_MAX = 20_000; // places kept; beyond, only the number is known

/**
 * @typedef {object} Search
 * @property {string} words empty: nothing is searched
 * @property {number[]} seqs records that match, rising
 * @property {number} total matches in the whole log, those beyond `seqs` included
 * @property {number} at index into `seqs` of the one looked at; -1: none
 * @property {boolean} busy more may come
 */

/** @returns {Search} */
export const none = () => ({ words: "", seqs: [], total: 0, at: -1, busy: false });

/** @param {string} words @returns {Search} */
export const begin = (words) => ({ ...none(), words, busy: words !== "" });

/**
 * @param {Search} search @param {number[]} seqs rising, after those known @param {number|null} total null: not told
 * @param {boolean} busy @returns {Search}
 */
export function found(search, seqs, total, busy) {
  const last = search.seqs.at(-1) ?? 0;
  const fresh = seqs.filter((seq) => seq > last);
  const all = [...search.seqs, ...fresh].slice(0, MATCHES_MAX);
  return { ...search, seqs: all, total: Math.max(total ?? 0, search.total + (total === null ? fresh.length : 0), all.length), busy };
}

/** The first match at or after the record is the one looked at; else the first. @param {Search} search @param {number} seq @returns {Search} */
export function nearest(search, seq) {
  if (!search.seqs.length) return { ...search, at: -1 };
  const at = search.seqs.findIndex((one) => one >= seq);
  return { ...search, at: at < 0 ? 0 : at };
}

/** @param {Search} search @param {1|-1} way round and round @returns {Search} */
export function step(search, way) {
  const { length } = search.seqs;
  if (!length) return search;
  return { ...search, at: search.at < 0 ? (way > 0 ? 0 : length - 1) : (search.at + way + length) % length };
}

/** "3/12", "0/0", "" while nothing is searched. @param {Search} search */
export function tally({ words, at, total, busy }) {
  if (!words) return "";
  if (busy && total === 0) return "…";
  return `${digits(at + 1)}/${digits(total)}${busy ? "…" : ""}`;
}

/**
 * Where the words stand in a text, whatever the case. Where changing the case changes the length, only exact hits count.
 * @param {string} text @param {string} words @returns {[number, number][]} from, to
 */
export function places(text, words) {
  if (!words) return [];
  const low = text.toLowerCase();
  const [hay, needle] = low.length === text.length ? [low, words.toLowerCase()] : [text, words];
  /** @type {[number, number][]} */
  const found = [];
  for (let at = hay.indexOf(needle); at >= 0 && found.length < 1000; at = hay.indexOf(needle, at + needle.length)) {
    found.push([at, at + needle.length]);
  }
  return found;
}
