/** Full jitter below an exponential ceiling: a thousand browsers that lost one server don't come back in one second. */

export const FIRST_CEILING = 1000;
export const LAST_CEILING = 30_000;

/**
 * @param {number} attempt failed attempts so far, from 0
 * @param {() => number} random in [0, 1)
 * @returns {number} milliseconds to wait
 */
export const delay = (attempt, random) =>
  random() * Math.min(LAST_CEILING, FIRST_CEILING * 2 ** Math.min(attempt, 20));
