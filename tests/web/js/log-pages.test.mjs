import assert from "node:assert/strict";
import { test } from "node:test";

const js = "../../../packages/nixfleet-web/src/nixfleet_web/static/js";
const { CHARACTERS_MAX, LogPages, PAGE, PAGES_MAX } = await import(`${js}/core/log-pages.js`);
const { plainText, toLines } = await import(`${js}/core/log-lines.js`);

/** A generator of chance that a failure can be repeated with. */
function chance(seed) {
  return (below) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
}

const TEXTS = ["plain", "\x1b[31mred", "end\x1b[0m", "10%\r50%", "\x1b[3", "2mgreen", "日本", ""];

function log(next, total) {
  return Array.from({ length: total }, (_, at) => ({
    seq: at + 1,
    at: at * 10,
    stream: ["stdout", "stdout", "stderr", "note"][next(4)],
    line: `${at + 1} ${TEXTS[next(TEXTS.length)]}`,
    partial: next(6) === 0 && at + 1 < total,
  }));
}

/** All lines as the pages have them, asking for what is missing as the page does. */
function readAll(pages, records) {
  const shown = [];
  for (let seq = 1; seq <= records.length; seq += 1) {
    const gap = pages.missing(seq, Math.min(records.length, seq + PAGE));
    if (gap) pages.add(records.slice(gap.from - 1, gap.from - 1 + gap.count));
    const line = pages.line(seq);
    assert.notEqual(line, undefined, `record ${seq} is there once asked for`);
    if (line) shown.push([line.seq, plainText(line), JSON.stringify(line.spans.map((span) => span.style))]);
  }
  return shown;
}

test("whatever came first, and however often, the lines are those of the log read from its start", () => {
  for (let seed = 1; seed <= 25; seed += 1) {
    const next = chance(seed);
    const records = log(next, 1 + next(PAGE * 5));
    const expected = toLines(records).map((line) => [line.seq, plainText(line), JSON.stringify(line.spans.map((span) => span.style))]);
    const pages = new LogPages();
    pages.total = records.length;
    for (let turn = 0; turn < 12; turn += 1) {
      const from = next(Math.ceil(records.length / PAGE)) * PAGE; // pages in any order, some of them twice
      pages.add(records.slice(from, from + next(PAGE * 2)));
    }
    readAll(pages, records); // all pages are there now, and each knows what the one before left
    assert.deepEqual(readAll(pages, records), expected, `seed ${seed}`);
  }
});

test("a log of a million lines costs some pages, and the end stays", () => {
  const pages = new LogPages();
  pages.total = 1_000_000;
  for (let from = 1; from < 200_000; from += PAGE) {
    pages.add(Array.from({ length: PAGE }, (_, at) => ({ seq: from + at, at: 0, stream: "stdout", line: "x".repeat(80), partial: false })));
    pages.trim(from, from + PAGE);
    assert.ok(pages.size <= PAGES_MAX);
    assert.ok(pages.characters <= CHARACTERS_MAX);
  }
  assert.equal(pages.line(1), undefined, "let go of");
  assert.ok(pages.line(199_900), "near what is looked at");
  assert.deepEqual(pages.missing(1, 2), { from: 1, count: PAGE });
});

test("records that the server no longer has are one line that says how many", () => {
  const pages = new LogPages();
  pages.total = 40;
  pages.skip(1, 31);
  pages.add(Array.from({ length: 10 }, (_, at) => ({ seq: 31 + at, at: 0, stream: "stdout", line: "kept", partial: false })));
  assert.match(plainText(pages.line(1)), /^30 lines missing here/);
  assert.equal(pages.line(2), null);
  assert.equal(plainText(pages.line(31)), "kept");
  assert.equal(pages.missing(1, 40), null);
});

test("the end is what is here without a gap, at most so many records", () => {
  const pages = new LogPages();
  const some = (from, to) => Array.from({ length: to - from + 1 }, (_, at) => ({ seq: from + at, at: 0, stream: "stdout", line: `line ${from + at}`, partial: false }));
  assert.deepEqual(pages.end(10), { lines: [], left: 0 });
  pages.total = 3 * PAGE;
  pages.add(some(1, 5));
  pages.add(some(2 * PAGE + 1, 3 * PAGE));
  assert.equal(pages.end(5000).left, 2 * PAGE, "what comes before the gap would be read as if it went on");
  const { lines, left } = pages.end(3);
  assert.deepEqual([lines.map(plainText), left], [[`line ${3 * PAGE - 2}`, `line ${3 * PAGE - 1}`, `line ${3 * PAGE}`], 3 * PAGE - 3]);
});
