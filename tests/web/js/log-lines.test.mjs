import assert from "node:assert/strict";
import { test } from "node:test";
import { LogLines, SHOWN_MAX, plainText } from "../../../packages/nixfleet-web/src/nixfleet_web/static/js/core/log-lines.js";

let seq = 0;
const record = (line, extra = {}) => ({ seq: (seq += 1), at: 1000, stream: "stdout", line, partial: false, ...extra });
const lines = (...records) => {
  const log = new LogLines();
  for (const one of records) log.add(one);
  return log.lines.map(plainText);
};

test("a record is a line", () => {
  assert.deepEqual(lines(record("one"), record(""), record("two")), ["one", "", "two"]);
});

test("pieces of a line are joined, each stream for itself", () => {
  const out = lines(
    record("out-1 ", { partial: true }),
    record("err-1 ", { stream: "stderr", partial: true }),
    record("out-2"),
    record("err-2", { stream: "stderr" }),
    record("last"),
  );
  assert.deepEqual(out, ["out-1 out-2", "err-1 err-2", "last"]);
});

test("a carriage return starts the line over, also across pieces; one at the end changes nothing", () => {
  assert.deepEqual(lines(record("10%\r50%\r100%")), ["100%"]);
  assert.deepEqual(lines(record("10%\r", { partial: true }), record("20%\r", { partial: true }), record("done")), ["done"]);
  assert.deepEqual(lines(record("windows\r"), record("next")), ["windows", "next"]);
});

test("an escape cut between two pieces is one escape", () => {
  const log = new LogLines();
  log.add(record("\x1b[3", { partial: true }));
  log.add(record("1mred"));
  assert.deepEqual(log.lines[0].spans, [{ text: "red", style: { fg: "1" } }]);
});

test("a colour goes on over lines of its stream and not into the other", () => {
  const log = new LogLines();
  for (const one of [record("\x1b[32ma"), record("b"), record("c", { stream: "stderr" })]) log.add(one);
  assert.deepEqual(log.lines.map((line) => line.spans[0].style?.fg), ["2", "2", undefined]);
});

test("a line of a megabyte shows its beginning and says how much is left out", () => {
  const log = new LogLines();
  for (let piece = 0; piece < 64; piece += 1) log.add(record("x".repeat(16_384), { partial: piece < 63 }));
  assert.equal(log.lines.length, 1);
  assert.equal(log.lines[0].length, SHOWN_MAX);
  assert.equal(log.lines[0].hidden, 64 * 16_384 - SHOWN_MAX);
});

test("tells the first line that changed", () => {
  const log = new LogLines();
  assert.equal(log.takeChanged(), null);
  log.add(record("a"));
  log.add(record("b", { partial: true }));
  assert.equal(log.takeChanged(), 0);
  log.add(record("c", { stream: "stderr" }));
  log.add(record("b"));
  assert.equal(log.takeChanged(), 1);
  assert.equal(log.takeChanged(), null);
});
