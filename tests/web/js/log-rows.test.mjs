import assert from "node:assert/strict";
import { test } from "node:test";

const js = "../../../packages/nixfleet-web/src/nixfleet_web/static/js";
const { LogRows } = await import(`${js}/core/log-rows.js`);
const { LogParts, PARTS_MAX, isError, isLeftOut, lengths } = await import(`${js}/core/log-parts.js`);
const { begin, found, nearest, places, step, tally } = await import(`${js}/core/log-search.js`);

test("rows and records name each other, whatever is folded", () => {
  for (let mask = 0; mask < 64; mask += 1) {
    const starts = [3, 4, 9, 15, 16, 20];
    const folded = new Set(starts.filter((_, at) => mask & (1 << at)));
    const hidden = new Set();
    starts.forEach((start, at) => {
      if (folded.has(start)) for (let seq = start + 1; seq < (starts[at + 1] ?? 31); seq += 1) hidden.add(seq);
    });
    const shown = Array.from({ length: 30 }, (_, at) => at + 1).filter((seq) => !hidden.has(seq));
    const rows = new LogRows(30, starts, folded);
    assert.equal(rows.count, shown.length);
    assert.deepEqual(shown.map((_, row) => rows.seqAt(row)), shown, `folded ${[...folded]}`);
    assert.deepEqual(shown.map((seq) => rows.rowOf(seq)), shown.map((_, row) => row));
    for (const seq of hidden) assert.equal(rows.rowOf(seq), shown.indexOf(starts.findLast((start) => start <= seq)), "its heading");
  }
});

const note = (seq, line, at = seq * 1000) => ({ seq, at, stream: "note", line, partial: false });
const out = (seq, line) => ({ seq, at: 0, stream: "stdout", line, partial: false });

test("a part begins with another step, and with each test; it ends with the next", () => {
  const parts = new LogParts();
  const records = [note(1, "pull: main from git@example"), out(2, "x"), note(3, "clone: anew"), note(10, "test: 1/2 T01-a.sh"),
    note(12, "test: T01-a.sh passed"), note(13, "test: 2/2 T02-b.sh"), note(14, "[9 bytes of output were not kept: …]")];
  for (const record of [...records.slice(3), ...records.slice(0, 3), ...records]) parts.see(record); // any order, and again
  assert.deepEqual(parts.parts.map(({ seq, title }) => [seq, title]), [[1, "pull"], [3, "clone"], [10, "T01-a.sh"], [13, "T02-b.sh"]]);
  assert.deepEqual([...lengths(parts.parts, 14_500)], [[1, "2.0 s"], [3, "7.0 s"], [10, "3.0 s"], [13, "1.5 s"]]);
  assert.equal(lengths(parts.parts, null).has(13), false, "the last part goes on");
  assert.equal(parts.partOf(2).seq, 1);
  assert.equal(new LogParts().partOf(2), null);
});

test("the first error is the first in the log, whatever was read first; a note is none", () => {
  const parts = new LogParts();
  parts.see(out(90, "error: late"));
  parts.see(note(5, "error: a note"));
  parts.see(out(40, "\x1b[1;31merror:\x1b[0m builder failed"));
  assert.equal(parts.firstError, 40);
  for (const line of ["error: x", "hello> error: x", "  fatal: not a repository", "error (ignored): x", "Traceback (most recent call last):", "[web] Error: no"]) assert.ok(isError(line), line);
  for (const line of ["no error here", "errors: 0", "copied error.txt", "my-error: x"]) assert.ok(!isError(line), line);
  assert.ok(isLeftOut("[123 bytes of output were not kept: the limit is 5 bytes a run]"));
  assert.ok(!isLeftOut("pull: main"));
});

test("matches go round, and the nearest is looked at first", () => {
  let search = found(begin("x"), [5, 9, 30], 3, false);
  search = nearest(search, 8);
  assert.equal(tally(search), "2/3");
  assert.equal(tally(step(search, 1)), "3/3");
  assert.equal(tally(step(step(search, 1), 1)), "1/3");
  assert.equal(tally(step(step(search, -1), -1)), "3/3");
  assert.equal(tally(nearest(search, 99)), "1/3");
  assert.equal(tally(found(begin("x"), [], 0, false)), "0/0");
  assert.equal(tally(begin("")), "");
  assert.equal(found(found(begin("x"), [1, 2], 4, true), [2, 3], 4, false).seqs.join(), "1,2,3", "none twice");
});

test("words are found whatever their case, and as they stand where case changes lengths", () => {
  assert.deepEqual(places("Error: ERROR", "error"), [[0, 5], [7, 12]]);
  assert.deepEqual(places("aaa", "aa"), [[0, 2]]);
  assert.deepEqual(places("İstanbul x", "x"), [[9, 10]]);
  assert.deepEqual(places("a.b", "."), [[1, 2]], "no pattern, just words");
  assert.deepEqual(places("abc", ""), []);
});

test("a host that floods the log with notes, or with what looks almost like an error, costs little", () => {
  const parts = new LogParts();
  for (let seq = 1; seq <= 50_000; seq += 1) parts.see(note(seq, `step${"abcdefgh"[seq % 8]}: x`));
  assert.ok(parts.parts.length <= PARTS_MAX);
  const began = performance.now();
  for (let round = 0; round < 200; round += 1) isError("error[".repeat(2700));
  assert.ok(performance.now() - began < 5000, "a wide bound: it takes some milliseconds");
});
