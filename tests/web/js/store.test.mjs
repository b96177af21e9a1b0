import assert from "node:assert/strict";
import { test } from "node:test";
import { findRun, initial, reduce } from "../../../packages/nixfleet-web/src/nixfleet_web/static/js/core/store.js";

const RUN = { run_id: "a".repeat(32), host_id: "web1", command: "test", state: "running", created_at: 5 };
const after = (...messages) => messages.reduce((fleet, [type, payload]) => reduce(fleet, { type, payload }, 100), initial());
const snapshot = (...hosts) => ["snapshot", { protocol: "1.0", server_version: "0.1.0", at: 1100, hosts }];

test("a snapshot is everything, in the server's order, with the fields the wire leaves out", () => {
  const fleet = after(snapshot({ host_id: "zeus", criticality: "high", presence: "online" }, { host_id: "abel" }));
  assert.deepEqual([...fleet.hosts.keys()], ["zeus", "abel"]);
  assert.equal(fleet.clockOffset, 1000);
  assert.equal(fleet.hosts.get("abel").presence, "new");
  assert.deepEqual(fleet.hosts.get("abel").commands, []);
  assert.equal(fleet.synced, true);
});

test("a new snapshot forgets what is no longer there", () => {
  const fleet = after(snapshot({ host_id: "gone" }), ["run_update", RUN], snapshot({ host_id: "here" }));
  assert.deepEqual([...fleet.hosts.keys()], ["here"]);
  assert.equal(fleet.runs.size, 0);
});

test("an update replaces a host in its place; a new one goes where the order wants it", () => {
  const fleet = after(
    snapshot({ host_id: "a", criticality: "high" }, { host_id: "c" }),
    ["host_update", { host_id: "c", presence: "online" }],
    ["host_update", { host_id: "b" }],
    ["host_update", { host_id: "d", criticality: "high" }],
  );
  assert.deepEqual([...fleet.hosts.keys()], ["a", "d", "b", "c"]);
  assert.equal(fleet.hosts.get("c").presence, "online");
});

test("a removed host goes; removing it twice changes nothing", () => {
  const fleet = after(snapshot({ host_id: "a" }, { host_id: "b" }), ["host_removed", { host_id: "a" }]);
  assert.deepEqual([...fleet.hosts.keys()], ["b"]);
  assert.equal(reduce(fleet, { type: "host_removed", payload: { host_id: "a" } }), fleet);
});

test("a run's update shows at its host too, when it is the host's newest", () => {
  const fleet = after(snapshot({ host_id: "web1", last_run: RUN }), ["run_update", { ...RUN, state: "ended", result: "ok" }]);
  assert.equal(fleet.hosts.get("web1").last_run.result, "ok");
  const other = after(snapshot({ host_id: "web1", last_run: RUN }), ["run_update", { ...RUN, run_id: "b".repeat(32) }]);
  assert.equal(other.hosts.get("web1").last_run.run_id, RUN.run_id);
});

test("progress reaches the run, and never revives one that ended", () => {
  const progress = ["command_progress", { host_id: "web1", run_id: RUN.run_id, command: "test", progress: { phase: "test", current: 3, total: 10 } }];
  const fleet = after(snapshot({ host_id: "web1", last_run: RUN }), progress);
  assert.equal(findRun(fleet, RUN.run_id).progress.current, 3);
  assert.equal(fleet.hosts.get("web1").last_run.progress.current, 3);
  const ended = after(snapshot({ host_id: "web1", last_run: { ...RUN, state: "ended", result: "ok" } }), progress);
  assert.equal(findRun(ended, RUN.run_id).state, "ended");
});

test("state goes in and is never changed; unknown messages change nothing", () => {
  const fleet = after(snapshot({ host_id: "a" }));
  const hosts = fleet.hosts;
  reduce(fleet, { type: "host_update", payload: { host_id: "b" } });
  assert.equal(hosts.size, 1);
  for (const type of ["from_the_future", "toString", "__proto__"]) assert.equal(reduce(fleet, { type, payload: {} }), fleet);
});

test("what is kept of runs is bounded", () => {
  let fleet = after(snapshot({ host_id: "web1" }));
  for (let n = 0; n < 1000; n += 1) fleet = reduce(fleet, { type: "run_update", payload: { ...RUN, run_id: String(n) } });
  assert.ok(fleet.runs.size <= 300);
  assert.ok(fleet.runs.has("999"));
});
