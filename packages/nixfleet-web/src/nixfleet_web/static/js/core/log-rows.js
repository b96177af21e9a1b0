/**
 * Which records are rows of the log as it is shown: all but those in a folded part. A part's first record stays and
 * carries its heading. Pure.
 */
export class LogRows {
  /** @type {{from: number, to: number, before: number}[]} hidden records, rising; `before`: hidden ones in earlier spans */
  #hidden = [];

  /**
   * @param {number} total records
   * @param {readonly number[]} starts first records of the parts, rising
   * @param {ReadonlySet<number>} folded of them, those shown as a heading only
   */
  constructor(total = 0, starts = [], folded = new Set()) {
    this.total = total;
    let before = 0;
    for (let at = 0; at < starts.length; at += 1) {
      const from = starts[at] + 1;
      const to = Math.min(total, (starts[at + 1] ?? Infinity) - 1);
      if (!folded.has(starts[at]) || to < from) continue;
      this.#hidden.push({ from, to, before });
      before += to - from + 1;
    }
    this.count = total - before;
  }

  /** @param {number} row from 0 @returns {number} */
  seqAt(row) {
    let low = 0;
    let high = this.#hidden.length; // spans before `low` lie above the row
    while (low < high) {
      const middle = (low + high) >> 1;
      const { from, before } = this.#hidden[middle];
      if (from - before <= row + 1) low = middle + 1;
      else high = middle;
    }
    const last = this.#hidden[low - 1];
    return row + 1 + (last ? last.before + last.to - last.from + 1 : 0);
  }

  /** The record's row; of one that is hidden, that of its part's heading. @param {number} seq @returns {number} */
  rowOf(seq) {
    let hidden = 0;
    for (const { from, to, before } of this.#hidden) {
      if (from > seq) break;
      if (seq <= to) return from - 1 - before - 1;
      hidden = before + to - from + 1;
    }
    return seq - 1 - hidden;
  }
}
