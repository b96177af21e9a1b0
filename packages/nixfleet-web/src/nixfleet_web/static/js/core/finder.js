/** Finding by a few letters: every word of the query must be in the entry; where it stands there decides the order. */

/**
 * @typedef {object} Entry
 * @property {string} title
 * @property {string} [detail]
 * @property {string} icon
 * @property {string} [why] it can't be done now, and why
 * @property {boolean} [quiet] only shown once something is asked for
 * @property {() => void} run
 */

export const SHOWN = 40;

/**
 * How well the entry fits; 0: not at all.
 * @param {string} title @param {string[]} words in small letters
 */
export function fit(title, words) {
  const text = title.toLowerCase();
  let sum = 1;
  for (const word of words) {
    const at = text.indexOf(word);
    if (at < 0) return 0;
    const begins = at === 0 || !/[a-z0-9]/.test(text[at - 1]);
    sum += (at === 0 ? 3 : begins ? 2 : 0) + word.length / text.length;
  }
  return sum;
}

/** @template {Entry} E @param {Iterable<E>} entries @param {string} query @returns {E[]} the best first, at most SHOWN */
export function find(entries, query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const found = [];
  let order = 0;
  for (const entry of entries) {
    if (!words.length && entry.quiet) continue;
    const score = fit(entry.title, words);
    if (score) found.push({ entry, score: entry.why ? score - 1 : score, order: (order += 1) });
  }
  found.sort((a, b) => b.score - a.score || a.order - b.order);
  return found.slice(0, SHOWN).map(({ entry }) => entry);
}
