import assert from "node:assert/strict";
import { test } from "node:test";
import { astir, bulkEnd, bulkView, heard, standings, stopQuestion, taken } from "../../../packages/nixfleet-web/src/nixfleet_web/static/js/core/bulk-view.js";
import { run } from "../../../packages/nixfleet-web/src/nixfleet_web/static/js/core/defaults.js";

const BULK = "b".repeat(32);
const of = (host, extra) => ({ run_id: host.repeat(8), host_id: host, command: "pull", state: "running", created_at: 1, started_at: 2, bulk_id: BULK, ...extra });
const ended = (host, result, extra) => of(host, { state: "ended", result, ...extra });
const runs = (...some) => new Map(some.map((one) => [one.run_id, run(one)]));
const bulk = (items, state = "running") => taken({ bulk_id: BULK, command: "pull", state, items }, new Map());
const words = (view) => view.first + view.rest;

test("how far it is, in numbers", () => {
  const one = bulk([{ host_id: "q1", run: ended("q1", "ok") }, { host_id: "q2", run: of("q2") }, { host_id: "q3" }, { host_id: "q4" }]);
  assert.equal(words(bulkView(one)), "Pull: 1 of 4 done, 1 running, 2 waiting, 0 failed");
  assert.equal(bulkView(one).over, false);
  assert.equal(bulkView(one).title, "Pull on 4 hosts");
  assert.equal(astir(one), true);
  assert.equal(astir(bulk([{ host_id: "q3" }])), false, "nothing will be heard of what only waits its turn");
});

test("what was left out is not what failed; each leads to its run or to its host", () => {
  const over = bulk([
    { host_id: "q1", run: ended("q1", "ok") },
    { host_id: "q2", run: ended("q2", "degraded", { message: "2 units failed" }) },
    { host_id: "q3", problem: "host_offline", detail: "q3 is not connected; nothing was started" },
    { host_id: "q4", run: ended("q4", "stopped", { started_at: null, message: "another host's run failed before this one began" }) },
    { host_id: "q5", run: ended("q5", "rejected", { started_at: null, message: "the store has only 12 MiB free" }) },
  ], "ended");
  const view = bulkView(over);
  assert.equal(words(view), "Pull: 1 of 5 done, 2 failed, 2 left out");
  assert.deepEqual([view.over, view.tone, view.shape], [true, "bad", "cross"]);
  assert.deepEqual(view.wrong.map(({ name, word, run, said }) => [name, word, run !== "", said]), [
    ["q2", "active, degraded", true, "2 units failed"],
    ["q5", "rejected", true, "the store has only 12 MiB free"],
    ["q3", "left out", false, "q3 is not connected; nothing was started"],
    ["q4", "left out", true, "another host's run failed before this one began"],
  ]);
  assert.equal(bulkEnd(over), "Pull on 5 hosts is over: 1 of 5 done, 2 failed, 2 left out");
});

test("it follows what is heard of its runs, and of nobody else's", () => {
  const before = bulk([{ host_id: "q1", run: of("q1") }, { host_id: "q2" }]);
  assert.equal(heard(before, runs(of("q1", { bulk_id: null, state: "ended", result: "ok" }))), before);
  const after = heard(before, runs(ended("q1", "ok"), of("q2", { state: "sent" })));
  assert.equal(standings(before), "running,waiting");
  assert.equal(standings(after), "done,running");
  assert.equal(heard(after, new Map()), after, "a new connection has forgotten the runs");
});

test("a late answer takes nothing back", () => {
  const raw = { bulk_id: BULK, command: "pull", state: "running", items: [{ host_id: "q1", run: of("q1") }, { host_id: "q2", run: ended("q2", "ok") }] };
  assert.equal(standings(taken(raw, runs(ended("q1", "failed"), of("q2")))), "failed,done");
});

test("a run that waits for its host is told apart", () => {
  assert.equal(words(bulkView(bulk([{ host_id: "q1", run: of("q1", { state: "queued", started_at: null }) }]))), "Pull: 0 of 1 done, 0 running, 0 waiting, 1 queued, 0 failed");
});

test("stopping all of it tells what becomes of whom", () => {
  const item = { host_id: "q1", run: of("q1", { command: "switch" }) };
  const both = stopQuestion({ ...bulk([item, { host_id: "q2" }, { host_id: "q3", run: ended("q3", "ok") }]), command: "switch" });
  assert.match(both.text, /^It is stopped on 1 host\. Every process .* may leave services stopped until the next switch\. .* 1 host where it has not begun is left out\.$/);
  assert.equal(stopQuestion(bulk([{ host_id: "q2" }, { host_id: "q3" }])).text, "2 hosts where it has not begun are left out.");
});
