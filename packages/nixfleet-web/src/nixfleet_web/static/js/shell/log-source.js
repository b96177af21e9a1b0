/** Where a run's log comes from when it is not followed: pages and searches by the JSON API. */

import * as defaults from "../core/defaults.js";
import { Refused } from "./api.js";

/**
 * @typedef {import("../core/types.js").LogRecord} LogRecord
 * @typedef {{records: LogRecord[], next: number}} Piece `next`: ask from here for what follows
 * @typedef {{seqs: number[], total: number, next: number|null}} Matches
 *
 * @typedef {object} Source
 * @property {(from: number, count: number) => Promise<Piece>} read
 * @property {(words: string, from: number) => Promise<Matches|null>} search null: this server doesn't search
 */

export const READ_MAX = 10_000;

/** @param {import("./api.js").Api} api @param {string} runId @returns {Source} */
export function logSource(api, runId) {
  const base = `/runs/${encodeURIComponent(runId)}`;
  return {
    async read(from, count) {
      const page = await api.get(`${base}/log?from=${from}&limit=${Math.min(READ_MAX, Math.max(1, count))}`);
      return { records: (page.records ?? []).map(defaults.record), next: page.next_seq };
    },

    async search(words, from) {
      const answer = await ifThere(api.get(`${base}/search?q=${encodeURIComponent(words)}&from=${from}&limit=1000`));
      if (!answer) return null;
      return { seqs: (answer.matches ?? []).map((/** @type {any} */ match) => match.seq), total: answer.total, next: answer.next_seq ?? null };
    },
  };
}

/** Null where an older server doesn't know the address. @param {Promise<any>} asked */
async function ifThere(asked) {
  try {
    return await asked;
  } catch (problem) {
    if (problem instanceof Refused && (problem.status === 404 || problem.status === 405)) return null;
    throw problem;
  }
}
