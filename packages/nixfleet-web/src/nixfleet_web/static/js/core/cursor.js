/**
 * Where the page is in a run's log. Pure: takes what arrived, returns the new cursor and what to do about the record.
 * This is what makes a reconnect show each line once: the page asks from the first record it has not seen, takes records
 * in order only, and drops what it has.
 */

/**
 * @typedef {object} Cursor
 * @property {string} runId
 * @property {number} next first record not seen
 * @property {number|null} total records in the log, once the run has ended
 * @property {number} askedFrom the record last asked for on this connection, so that a gap is asked for once
 */

/** @param {string} runId @param {number} [from] first record wanted @returns {Cursor} */
export const follow = (runId, from = 1) => ({ runId, next: from, total: null, askedFrom: 0 });

/**
 * @param {Cursor} cursor
 * @param {number} seq
 * @returns {{cursor: Cursor, verdict: "take"|"drop"|"ask"}} `ask`: records are missing, subscribe again
 */
export function onRecord(cursor, seq) {
  if (seq === cursor.next) return { cursor: { ...cursor, next: seq + 1 }, verdict: "take" };
  if (seq < cursor.next || cursor.askedFrom === cursor.next) return { cursor, verdict: "drop" };
  return { cursor, verdict: "ask" };
}

/** @param {Cursor} cursor @param {import("./types.js").Run} run @returns {Cursor} */
export const onRun = (cursor, run) =>
  run.run_id === cursor.runId && run.state === "ended" ? { ...cursor, total: run.lines } : cursor;

/** Nothing more will come. @param {Cursor} cursor */
export const isDone = (cursor) => cursor.total !== null && cursor.next > cursor.total;

/**
 * The message that makes the server send what is missing.
 * @param {Cursor} cursor
 * @returns {{cursor: Cursor, message: import("./types.js").Message}}
 */
export const ask = (cursor) => ({
  cursor: { ...cursor, askedFrom: cursor.next },
  message: { type: "subscribe", payload: { run_id: cursor.runId, from_seq: cursor.next } },
});

/** A new connection has not been asked for anything. @param {Cursor} cursor @returns {Cursor} */
export const onConnect = (cursor) => ({ ...cursor, askedFrom: 0 });
