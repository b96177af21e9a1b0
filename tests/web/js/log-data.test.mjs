import assert from "node:assert/strict";
import { test } from "node:test";

const js = "../../../packages/nixfleet-web/src/nixfleet_web/static/js";
const { LogData } = await import(`${js}/shell/log-data.js`);

const record = (seq) => ({ seq, at: seq, stream: "stdout", line: `line ${seq}`, partial: false });
const records = (from, to) => Array.from({ length: to - from + 1 }, (_, at) => record(from + at));
const settled = () => new Promise((done) => setTimeout(done));

test("opened near the end, a server that goes away while lines come costs none and doubles none", async () => {
  let there = true;
  let last = 3007;
  const read = async (from, count) => {
    if (!there) throw new Error("no connection");
    const to = Math.min(last, from + count - 1);
    return { records: records(from, to), next: to + 1 };
  };
  const data = new LogData({ read, search: async () => null }, last, { onLines() {}, onParts() {}, onSearch() {} });
  assert.equal(data.from, 2001);
  data.take(records(2001, 2792)); // the rest was on its way
  there = false;
  data.look(1, 40); // the answer never comes
  await settled();
  assert.equal(data.pages.line(1), undefined);
  there = true;
  last = 3100;
  data.retry();
  data.take(records(2780, 2900)); // some of it came before
  data.take(records(2911, last)); // and what never came is asked for when it is looked at
  for (let seq = 1; seq <= last; seq += 20) {
    data.look(seq, seq + 40);
    await settled();
    for (let at = seq; at <= Math.min(last, seq + 40); at += 1) {
      assert.equal(data.pages.line(at)?.spans.map(({ text }) => text).join(""), `line ${at}`);
    }
  }
  assert.equal(data.pages.total, last);
});
