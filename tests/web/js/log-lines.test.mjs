import assert from "node:assert/strict";
import { test } from "node:test";
import { SHOWN_MAX, plainText, toLines } from "../../../packages/nixfleet-web/src/nixfleet_web/static/js/core/log-lines.js";

let seq = 0;
const record = (line, extra = {}) => ({ seq: (seq += 1), at: 1000, stream: "stdout", line, partial: false, ...extra });
const lines = (...records) => toLines(records).map(plainText);

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
  assert.equal(toLines([record("10%\r50%\r100%")])[0].folded, 2, "how often it was written over is known");
});

test("an escape cut between two pieces is one escape", () => {
  const [line] = toLines([record("\x1b[3", { partial: true }), record("1mred")]);
  assert.deepEqual(line.spans, [{ text: "red", style: { fg: "1" } }]);
});

test("a colour goes on over lines of its stream and not into the other", () => {
  const all = toLines([record("\x1b[32ma"), record("b"), record("c", { stream: "stderr" })]);
  assert.deepEqual(all.map((line) => line.spans[0].style?.fg), ["2", "2", undefined]);
});

test("a line of a megabyte shows its beginning and says how much is left out", () => {
  const all = toLines(Array.from({ length: 64 }, (_, piece) => record("x".repeat(16_384), { partial: piece < 63 })));
  assert.equal(all.length, 1);
  assert.equal(all[0].length, SHOWN_MAX);
  assert.equal(all[0].hidden, 64 * 16_384 - SHOWN_MAX);
});
