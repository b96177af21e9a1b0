import assert from "node:assert/strict";
import { test } from "node:test";

const js = "../../../packages/nixfleet-web/src/nixfleet_web/static/js";
const { activity } = await import(`${js}/core/activity.js`);
const { arrange, inGroup } = await import(`${js}/core/arrange.js`);
const { chips, fitting } = await import(`${js}/core/build.js`);
const { host } = await import(`${js}/core/defaults.js`);
const { fleetState, need, problemsOf } = await import(`${js}/core/problems.js`);

const RUN = { run_id: "a".repeat(32), host_id: "web1", command: "switch", state: "running", created_at: 1000, started_at: 2000, warn_at: 60_000 };
const made = (name, more = {}) => host({ host_id: name, presence: "online", ...more });

test("a run past its time needs somebody, for all who count: from that moment on, not before", () => {
  const slow = made("web1", { last_run: RUN });
  const fleet = { synced: true, hosts: new Map([["web1", slow]]) };
  const counted = (now) => [problemsOf(slow, now).length, need(slow, now), inGroup(slow, "need", now), fleetState(fleet, now).needing];
  assert.deepEqual(counted(59_999), [0, "", false, 0]);
  assert.deepEqual(counted(60_000), [1, "warn", true, 1]);
});

test("sorted by need: bad, odd, then the rest, each as they were", () => {
  const hosts = [made("a"), made("b", { last_run: RUN }), made("c", { facts: { failed_units: ["x"] } }), made("d"), made("e", { facts: { failed_units: ["x"] } })];
  const order = (now) => arrange(hosts, { text: "", group: "", sort: "need" }, now).join("");
  assert.equal(order(0), "ceabd");
  assert.equal(order(60_000), "cebad");
  const by = (sort, more) => arrange(hosts.map((one, at) => ({ ...one, ...more(at) })), { text: "", group: "", sort }, 0).join("");
  assert.equal(by("cpu", (at) => ({ metrics: at % 2 ? { cpu: at } : null })), "dbace", "not measured comes last");
  assert.equal(by("name", (at) => ({ host_id: "edcba"[at] })), "abcde");
});

test("a run whose host can't be reached stands still", () => {
  const lost = (progress) => made("web1", { presence: "unreachable", last_seen_at: 44_000, last_run: { ...RUN, progress } });
  const shown = (now, progress = null) => activity(lost(progress), now);
  assert.equal(shown(50_000).detail, "was running · 42 s");
  assert.deepEqual(shown(50_000), shown(500_000));
  assert.deepEqual([shown(0).tone, shown(0).shape, shown(0).unseen, shown(0).share], ["idle", "dashed", "", 0], "no bar that moves");
  assert.equal(shown(50_000, { phase: "test", current: 3, total: 10, label: "" }).share, 0.3);
  assert.equal(activity(made("web1", { last_run: RUN }), 44_000).unseen, "running", "the turning shape, in words");
});

test("one line of chips: all, or as many as leave room for how many more; reboot needed first", () => {
  assert.equal(fitting([], 100, 4, 28), 0);
  assert.equal(fitting([50, 46], 100, 4, 28), 2);
  assert.equal(fitting([50, 47], 100, 4, 28), 1);
  assert.equal(fitting([30, 30, 60, 10], 100, 4, 28), 2);
  assert.equal(fitting([90, 10], 100, 4, 28), 1, "the first is always there");
  const found = chips(made("web1", { facts: { behind: 1, dirty: true, system: "drift", reboot: "required" } }).facts, 0);
  assert.deepEqual(found.map(({ label }) => label), ["reboot needed", "1 behind", "dirty", "drifted"]);
});

test("a run that failed says why: in its host's words, else by its tests", () => {
  const text = (more) => problemsOf(made("web1", { last_run: { ...RUN, state: "ended", result: "failed", ...more } }), 0)[0].text;
  const tests = { total: 60, passed: 40, failed: 20, failures: [] };
  assert.equal(text({ message: "the disk is full", tests }), "Switch failed: the disk is full");
  assert.equal(text({ command: "test", tests }), "Test failed: 40 of 60 tests passed");
  assert.equal(text({}), "Switch failed");
});
