/** Numbers and times as words. Times in milliseconds. */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** How long ago, in one unit: "now", "12 s ago", "3 min ago", "5 h ago", "9 d ago". @param {number|null} at @param {number} now */
export function ago(at, now) {
  if (at === null) return "never";
  const past = now - at;
  if (past < 1.5 * SECOND) return "now"; // also for a clock that is a little ahead
  return `${span(past)} ago`;
}

/** A length of time in one unit. @param {number} length */
export function span(length) {
  if (length < MINUTE) return `${Math.round(length / SECOND)} s`;
  if (length < HOUR) return `${Math.floor(length / MINUTE)} min`;
  if (length < DAY) return `${Math.floor(length / HOUR)} h`;
  return `${Math.floor(length / DAY)} d`;
}

/** How long something took: "0.4 s", "12.3 s", "3:04 min", "1:02:03 h". @param {number} length */
export function duration(length) {
  const seconds = Math.max(0, length) / SECOND;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const pair = (/** @type {number} */ value) => String(value).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)}:${pair(whole % 60)} min`;
  return `${Math.floor(whole / 3600)}:${pair(Math.floor(whole / 60) % 60)}:${pair(whole % 60)} h`;
}

/** Time the run has taken so far, or took; null before it began. @param {import("./types.js").Run} run @param {number} now */
export function runLength(run, now) {
  if (run.started_at === null) return null;
  return Math.max(0, (run.ended_at ?? now) - run.started_at);
}

/** Time of day, "15:52:48": as the logs have it, in every language of the browser. @param {number} at */
export const clock = (at) => new Date(at).toTimeString().slice(0, 8);

/** "15:52" @param {number} at */
export const clockMinute = (at) => clock(at).slice(0, 5);

/** Time of day to the second, or the date and the minute when it isn't today. @param {number} at @param {number} now */
export function moment(at, now) {
  if (new Date(at).toDateString() === new Date(now).toDateString()) return clock(at);
  return `${new Date(at).toLocaleDateString([], { day: "numeric", month: "short" })} ${clockMinute(at)}`;
}

/** Date with its year, and time: for what is kept, as paper. @param {number} at */
export const stamp = (at) => `${new Date(at).toLocaleDateString([], { day: "numeric", month: "short", year: "numeric" })} ${clock(at)}`;

/** @param {string|null|undefined} commit */
export const shortCommit = (commit) => (commit ? commit.slice(0, 8) : "");

/** With commas: "1,234,567". Not the browser's, whose first number takes 30 ms. @param {number} count a whole number */
export const digits = (count) => String(count).replace(/\B(?=(\d{3})+$)/g, ",");

/** @param {number} count @param {string} one @param {string} [many] */
export const plural = (count, one, many = `${one}s`) => `${digits(count)} ${count === 1 ? one : many}`;
