import assert from "node:assert/strict";
import { test } from "node:test";

const js = "../../../packages/nixfleet-web/src/nixfleet_web/static/js";
const { enrollView } = await import(`${js}/core/access-view.js`);
const { activity } = await import(`${js}/core/activity.js`);
const { ago, duration } = await import(`${js}/core/format.js`);
const { generationsOf } = await import(`${js}/core/host-facts.js`);
const { historyView, runView } = await import(`${js}/core/run-view.js`);
const { host, run } = await import(`${js}/core/defaults.js`);
const { parse } = await import(`${js}/shell/route.js`);

const RUN = { run_id: "a".repeat(32), host_id: "web1", command: "test", state: "running", created_at: 1000, started_at: 2000, started_by: "admin" };
const TESTS = { total: 10, passed: 9, failed: 1, failures: [{ name: "T03-dns.sh", exit_code: 1, output: "no answer\n" }] };

test("times read as one would say them", () => {
  assert.deepEqual([0, 1400, 12_000, 61_000, 3_600_000 * 5, 86_400_000 * 9].map((past) => ago(1e12 - past, 1e12)),
    ["now", "now", "12 s ago", "1 min ago", "5 h ago", "9 d ago"]);
  assert.equal(ago(2000, 1000), "now", "a clock ahead is no reason for odd words");
  assert.equal(ago(null, 1000), "never");
  assert.deepEqual([400, 59_940, 59_960, 184_000, 3_723_000].map(duration), ["0.4 s", "59.9 s", "1:00 min", "3:04 min", "1:02:03 h"]);
});

test("a host shows the run under way with its progress, then how it ended", () => {
  const going = activity(host({ host_id: "web1", last_run: { ...RUN, progress: { phase: "test", current: 3, total: 10, label: "3/10 T03-dns.sh" } } }), 44_000);
  assert.equal(going.detail, "42 s · 3/10 T03-dns.sh");
  assert.equal(going.share, 0.3);
  const ended = activity(host({ host_id: "web1", last_run: { ...RUN, state: "ended", result: "failed", ended_at: 44_000, message: "9/10 pass" } }), 104_000);
  assert.deepEqual([ended.outcome, ended.detail, ended.tone, ended.share], ["failed", "1 min ago · 9/10 pass", "bad", undefined]);
  assert.equal(activity(host({ host_id: "web1" }), 0), null);
  assert.equal(activity(host({ host_id: "web1", last_run: RUN }), 0).share, null, "how far is not known");
});

test("a run whose host was away when it was to stop says so, also before that host heard of it", () => {
  const stop = run({ ...RUN, run_id: "b".repeat(32), command: "stop", state: "sent", options: { target: RUN.run_id }, created_at: 10_000 });
  const facts = (history, now = 20_000) => runView(run(RUN), now, history.map(run)).facts[0];
  assert.equal(facts([stop]), "stops once web1 is back");
  for (const other of [{ ...stop, state: "running" }, { ...stop, options: { target: "c".repeat(32) } }]) assert.equal(facts([other]), "by admin");
  assert.equal(facts([stop], 11_000), "by admin", "to a host that is there it is on its way");
  assert.deepEqual(["sent", "running", "ended"].map((state) => runView(run({ ...RUN, state }), 20_000).stoppable), [true, true, false]);
  assert.equal(runView(stop, 20_000).stoppable, false);
});

test("a run that ended shows outcome, counts, and each failed test's output", () => {
  const view = runView(run({ ...RUN, state: "ended", result: "failed", exit_code: 1, ended_at: 5000, tests: TESTS }), 9000);
  assert.equal(view.outcome, "Test failed · 9 of 10 tests passed · exit 1");
  assert.deepEqual(view.failures, [{ id: `${RUN.run_id}-test-0`, name: "T03-dns.sh", exit: "exit 1", output: "no answer\n", command: "", open: true, names: [] }]);
  assert.equal(view.stoppable, false);
  assert.equal(view.ended, true);
});

test("where many tests failed their names come first in one list, and how many the log has besides", () => {
  const failures = Array.from({ length: 64 }, (_, at) => ({ name: `T${at}.sh`, exit_code: 1, output: "no\n" }));
  const view = (tests) => runView(run({ ...RUN, state: "ended", result: "failed", tests }), 9000).failures;
  const [names, ...rest] = view({ total: 300, passed: 100, failed: 200, failures });
  assert.deepEqual([names.name, names.exit], ["200 failed", "136 more failed: the log has them"]);
  assert.deepEqual(names.names, rest.map(({ id, name }) => ({ id, name })), "each leads to what it printed");
  assert.equal(names.output, "");
  assert.deepEqual(rest.map(({ open }) => open), failures.map((_, at) => at < 3));
  assert.equal(view({ total: 6, passed: 0, failed: 6, failures: failures.slice(0, 6) })[0].exit, "", "all of them are listed");
  assert.deepEqual(view({ total: 5, passed: 0, failed: 5, failures: failures.slice(0, 5) }).map(({ open }) => open), Array(5).fill(true), "a few need no list");
});

test("what Nix does is told as one would: built of all, copied of all, what it is at; no percentage while it plans", () => {
  const nix = (more) => run({ ...RUN, command: "switch", progress: { phase: "build", nix: { planning: false, built: 12, to_build: 40, copied: 3, to_copy: 9, current: "hello-2.12", build_phase: "buildPhase", ...more } } });
  const view = runView(nix({}), 0);
  assert.equal(view.step, "building 12/40, copying 3/9");
  assert.equal(view.current, "hello-2.12 · buildPhase");
  assert.equal(view.percent, 31);
  const planning = runView(nix({ planning: true, built: 2, to_build: 2 }), 0);
  assert.equal(planning.step, "building 2, copying 3/9");
  assert.equal(planning.percent, null);
  assert.equal(runView(nix({ failed: 1 }), 0).step, "building 12/40, copying 3/9, 1 failed");
  const row = activity(host({ host_id: "web1", last_run: nix({}) }), 44_000);
  assert.equal(row.detail, "42 s · building 12/40, copying 3/9", "the host's row says the same");
  assert.equal(row.share, 15 / 49);
});

test("how long it may still take is what such runs took on this host", () => {
  const past = [60, 100, 80].map((seconds, at) => run({ ...RUN, run_id: String(at).repeat(32), state: "ended", result: "ok", started_at: 1000, ended_at: 1000 + seconds * 1000 }));
  const bad = run({ ...RUN, run_id: "f".repeat(32), state: "ended", result: "failed", started_at: 1000, ended_at: 2000 });
  const other = { ...past[0], command: "switch", ended_at: 9_000_000 };
  const going = run({ ...RUN, started_at: 1000 });
  const eta = (now) => runView(going, now, [bad, other, ...past]).eta;
  assert.equal(eta(21_000), "about 1 min left");
  assert.equal(eta(61_000), "about 20 s left");
  assert.equal(eta(81_000), "any moment now");
  assert.equal(eta(200_000), "usually 1:20 min");
  assert.equal(runView(going, 21_000, [bad]).eta, "", "no history, no promise");
});

test("steps, failed derivations with their last lines, units, reboot: in words, without colours", () => {
  const outcome = {
    steps: [{ name: "build", outcome: "failed", message: "1 of 3 did not build", seconds: 61 }, { name: "activate", outcome: "skipped" }],
    failures: [{ name: "hello-2.12", derivation: "/nix/store/x-hello.drv", reason: "builder failed with exit code 2", log: "\x1b[31mundefined\x1b[0m reference\n10%\r20%\n\x1b]0;x\x07end" }],
    failed_units: ["nginx.service"], reboot: "required", reboot_reasons: ["kernel"], changes: "hello: 2.11 → 2.12",
  };
  const view = runView(run({ ...RUN, command: "switch", state: "ended", result: "failed", ended_at: 9000, outcome }), 9000);
  assert.deepEqual(view.steps.map(({ name, outcome: how, took, shape }) => [name, how, took, shape]), [["build", "failed", "1:01 min", "cross"], ["activate", "skipped", "", "dashed"]]);
  assert.deepEqual(view.failures[0], { id: `${RUN.run_id}-build-0`, name: "hello-2.12", exit: "builder failed with exit code 2", output: "undefined reference\n20%\nend", command: "nix log /nix/store/x-hello.drv", open: true, names: [] });
  assert.deepEqual(view.left, ["Failed units: nginx.service", "Reboot required: kernel"]);
  assert.equal(view.changes, "hello: 2.11 → 2.12");
});

test("a run that takes long, or is about to be ended, says so", () => {
  assert.equal(runView(run({ ...RUN, warn_at: 5000, timeout_at: 3_000_000 }), 4000).slow, "");
  assert.equal(runView(run({ ...RUN, warn_at: 5000, timeout_at: 3_000_000 }), 6000).slow, "This takes longer than it should. It is ended in 49 min.");
  assert.equal(runView(run({ ...RUN, timeout_at: 60_000 }), 6000).slow, "It is ended in 54 s.");
});

test("a run can be stopped while it runs, a stop can't", () => {
  assert.equal(runView(run(RUN), 0).stoppable, true);
  assert.equal(runView(run({ ...RUN, command: "stop" }), 0).stoppable, false);
});

test("without the server a run is shown as last heard of: nothing promised, nothing to press", () => {
  const lost = { live: false, since: 12_000 };
  const going = { ...RUN, warn_at: 5000 };
  const view = runView(run(going), 12_000, [], lost);
  assert.deepEqual([view.label, view.tone, view.shape, view.eta, view.slow], ["running when last heard of", "idle", "ring", "", ""]);
  assert.deepEqual([view.stoppable, view.disabled, view.why], [true, "true", "No connection to the server"]);
  assert.ok(view.facts.includes("10.0 s"), "greyed, not blanked");
  assert.deepEqual([runView(run(going), 12_000).disabled, runView(run(going), 12_000).why], ["false", ""]);
  const ended = run({ ...RUN, state: "ended", result: "ok", ended_at: 4500 });
  assert.deepEqual(runView(ended, 9000, [], lost), runView(ended, 9000), "what has ended stays so");
  assert.deepEqual([historyView(run(RUN), 0, false).shape, historyView(ended, 0, false).shape], ["ring", "check"]);
});

test("a run whose host can't be reached stands where it was last heard of, and can be stopped", () => {
  const view = runView(run(RUN), 60_000, [], { since: 12_000 });
  assert.deepEqual([view.label, view.shape, view.disabled, view.stoppable], ["running when last heard of", "ring", "false", true]);
  assert.ok(view.facts.includes("10.0 s"), "nobody knows how long it runs by now");
});

test("a run's lines are as many as came, where the server's count is older", () => {
  assert.ok(runView(run({ ...RUN, lines: 2878 }), 0, [], { heard: 2936 }).facts.includes("2,936 lines"));
  assert.ok(runView(run({ ...RUN, lines: 2878 }), 0, [], { heard: 5 }).facts.includes("2,878 lines"));
});

test("a run's time ticks while it goes on and then stands", () => {
  assert.ok(runView(run(RUN), 12_000).facts.includes("10.0 s"));
  assert.ok(runView(run({ ...RUN, state: "ended", result: "ok", ended_at: 4500 }), 99_000).facts.includes("2.5 s"));
  assert.equal(historyView(run({ ...RUN, state: "ended", result: "ok", ended_at: 4500 }), 99_000).outcome, "ok · 2.5 s");
});

const where = (hash) => {
  const { page, over, host, run, line, part } = parse(hash);
  return [page, over, host ?? run, line, part].filter((one) => one !== null && one !== "");
};

test("addresses name a page, or what lies over one, and nothing else", () => {
  assert.deepEqual(where("#/runs/abc123"), ["run", "abc123"]);
  assert.deepEqual(where("#/runs/abc123/L120"), ["run", "abc123", 120]);
  assert.deepEqual(where("#/hosts/web-1"), ["host", "web-1"]);
  assert.deepEqual(where("#/settings/audit"), ["settings", "audit"]);
  assert.deepEqual(where("#/add"), ["add"]);
  for (const hash of ["", "#", "#/", "#/runs/", "#/runs/../x", "#/hosts/<img>", "#/other/x"]) {
    assert.deepEqual(where(hash), ["fleet"], hash);
  }
});

test("a one-time token waits, has let a host in, or ended unused", () => {
  const told = (more) => {
    const { host, state, open } = enrollView({ id: "a", created_at: 0, expires_at: 3_600_000, ...more }, 600_000);
    return [host, state, open];
  };
  assert.deepEqual(told({}), ["any host", "waits, ends in 50 min", true]);
  assert.deepEqual(told({ host: "web1", used_by: "web1" }), ["web1", "let in", false]);
  assert.deepEqual(told({ expires_at: 600_000 }), ["any host", "ended unused", false]);
  assert.deepEqual(told({ expires_at: 600_000, used_by: "web1" }), ["any host", "let in", false], "used is used, however long ago");
});

test("a generation tells what made it and, while the same system runs, what returning to it would change", () => {
  const generations = [1, 2].map((number) => ({ number, store_path: `/nix/store/${number}`, selected: number === 2, current: number === 2 }));
  const here = host({ host_id: "web1", facts: { generation: "2", store_path: "/nix/store/2", generations } });
  const made = run({ ...RUN, command: "switch", state: "ended", result: "ok", generation: "2", outcome: { changes: "hello: 1 → 2", store_path: "/nix/store/2" } });
  const systems = { store_path: "/nix/store/1", previous: "/nix/store/2" };
  const compared = run({ ...RUN, command: "check", options: { generation: 1 }, state: "ended", result: "ok", generation: "2", outcome: { changes: "hello: 2 → 1", units: "restart hello", ...systems } });
  const told = (runs, of = here) => generationsOf(of, runs, 5000).map(({ number, changes, back, possible }) => [number, changes, back, possible]);
  assert.deepEqual(told([compared, made]), [[2, "hello: 1 → 2", "", false], [1, "", "hello: 2 → 1\nrestart hello", true]]);
  const same = run({ ...RUN, ...compared, outcome: systems, message: "nothing would change" });
  assert.equal(told([same])[1][2], "nothing would change");
  const rebooted = host({ ...here, facts: { ...here.facts, store_path: "/nix/store/3" } });
  assert.equal(told([compared], rebooted)[1][2], "", "compared with what runs no more");
  const again = host({ ...here, facts: { ...here.facts, generations: [{ ...generations[0], store_path: "/nix/store/9" }, generations[1]] } });
  assert.equal(told([compared], again)[1][2], "", "the number is another system's now");
  assert.equal(told([{ ...compared, options: run(RUN).options }])[0][1], "", "what a check tells made no generation");
  const deleted = host({ ...here, facts: { ...here.facts, generations: [{ ...generations[0] }, { ...generations[1], store_path: null }] } });
  assert.equal(told([made], deleted)[0][1], "hello: 1 → 2", "it is still known what it changed");
});
