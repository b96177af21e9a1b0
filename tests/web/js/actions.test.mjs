import assert from "node:assert/strict";
import { test } from "node:test";
import { ACTIONS, actionOf, canWait, question, questionForMany, questionLater, whenOf, whyNot, whyNotCompare } from "../../../packages/nixfleet-web/src/nixfleet_web/static/js/core/actions.js";
import { host } from "../../../packages/nixfleet-web/src/nixfleet_web/static/js/core/defaults.js";
import { Selection } from "../../../packages/nixfleet-web/src/nixfleet_web/static/js/core/selection.js";

const COMMANDS = ["pull", "switch", "pull-switch", "test", "stop", "restart"]; // of an old agent
const possible = (extra, live = true) => {
  const one = host({ host_id: "web1", connected: true, presence: "online", commands: COMMANDS, ...extra });
  return ACTIONS.filter((action) => whyNot(action, one, live) === "").map((action) => action.command);
};

test("an idle host can do all but stop", () => {
  assert.deepEqual(possible({}), ["pull", "switch", "pull-switch", "test", "restart"]);
});

test("while a command runs only stop and restart are possible", () => {
  assert.deepEqual(possible({ pending_command: "switch" }), ["stop", "restart"]);
});

test("a host that is not connected, or a page that is not, can do nothing", () => {
  assert.deepEqual(possible({ connected: false, presence: "offline" }), []);
  assert.deepEqual(possible({}, false), []);
});

test("what runs on a host that is away can be stopped all the same, and the question says when", () => {
  const away = { connected: false, presence: "unreachable", pending_command: "switch" };
  assert.deepEqual(possible(away), ["stop"]);
  assert.deepEqual(possible({ ...away, commands: ["switch"] }), []);
  assert.deepEqual(possible(away, false), []);
  const asked = question(actionOf("stop"), host({ host_id: "web1", ...away }));
  assert.match(asked.text, /^web1 is away: it is told as soon as it is back\. Every process/);
});

test("a stale host is still connected and can be told", () => {
  assert.deepEqual(possible({ presence: "stale" }), ["pull", "switch", "pull-switch", "test", "restart"]);
});

test("what the host does not offer is not possible", () => {
  assert.deepEqual(possible({ commands: ["test"] }), ["test"]);
});

test("the reason names the command that runs", () => {
  const busy = host({ host_id: "web1", connected: true, commands: COMMANDS, pending_command: "pull-switch" });
  assert.equal(whyNot(ACTIONS[0], busy, true), "Pull + Switch is running");
});

test("a generation is compared where the agent knows how, and where it could check at all", () => {
  const one = host({ host_id: "web1", connected: true, presence: "online", commands: ["check"], protocol: "1.1" });
  assert.equal(whyNotCompare(one, true), "");
  assert.match(whyNotCompare({ ...one, protocol: "1.0" }, true), /too old for this: update it/);
  assert.match(whyNotCompare({ ...one, commands: [] }, true), /can't do this/);
});

test("a question about many names them, and those that matter most even where there are too many to name", () => {
  const many = Array.from({ length: 30 }, (_, at) => host({ host_id: `web-${at}` }));
  const gate = host({ host_id: "gate", criticality: "high" });
  const asked = questionForMany(actionOf("switch"), [...many.slice(0, 28), gate], (id) => id === "gate" || id === "web-20");
  assert.equal(asked.title, "Switch 29 hosts?");
  assert.match(asked.text, /^Each of the 29 hosts builds/);
  assert.equal(asked.hosts.length, 12);
  assert.deepEqual(asked.hosts.slice(-2).map(({ name, high, hidden }) => [name, high, hidden]), [["web-20", false, true], ["gate", true, true]]);
  assert.equal(asked.more, "and 17 more");
  assert.equal(asked.hidden, "2 of them are hidden by the filter.");
});

test("a question about many that are one speaks of that one, and of none says so", () => {
  const gate = host({ host_id: "gate", criticality: "high" });
  const asked = questionForMany(actionOf("switch"), [gate], () => true);
  assert.equal(asked.title, "Switch gate?");
  assert.match(asked.text, /^gate builds/);
  assert.equal(asked.hidden, "It is hidden by the filter.");
  assert.equal(questionForMany(actionOf("pull"), []).title, "Pull: none of them can now");
});

test("the selection says how many of it the filter hides", () => {
  const selection = new Selection();
  selection.set(["gate", "web-01"]);
  assert.equal(selection.words(["web-01", "web-02"]), "2 hosts selected, 1 hidden by the filter");
  assert.equal(selection.words(["gate", "web-01", "web-02"]), "2 hosts selected");
});

test("a host that is away or at work can be given a run for later, where the server keeps it", () => {
  const one = host({ host_id: "web1", connected: true, presence: "online", commands: COMMANDS });
  const can = (extra, command = "switch", server = "0.2.0") => canWait(actionOf(command), { ...one, ...extra }, server);
  assert.equal(can({}), false, "it can do it now");
  assert.equal(can({ pending_command: "pull" }), true);
  assert.equal(can({ connected: false, presence: "offline" }), true);
  assert.equal(can({ presence: "offline" }), true, "its line still stands, but it is silent");
  assert.equal(can({ connected: false, presence: "new", commands: [] }), true);
  assert.equal(can({ connected: false, commands: ["pull"] }), false, "it could never");
  assert.equal(can({ connected: false }, "stop"), false);
  assert.equal(can({ connected: false }, "restart"), false);
  assert.equal(can({ connected: false }, "switch", "0.1.0"), false);
  assert.deepEqual([{ connected: false, presence: "unreachable" }, { pending_command: "pull" }, { connected: false, presence: "new" }].map((extra) => whenOf({ ...one, ...extra })),
    ["when it is back", "afterwards", "when it connects"]);
  const away = { ...one, connected: false, presence: "offline" };
  assert.equal(questionLater(actionOf("switch"), away).title, "Switch web1 when it is back?");
  assert.match(questionLater(actionOf("switch"), away).text, /It waits for web1 to be back, for an hour at most\.$/);
  assert.equal(questionLater(actionOf("pull"), away), null);
});

test("a restart of the agent is asked about while something runs there, and only then", () => {
  const one = host({ host_id: "web1", connected: true, commands: COMMANDS });
  assert.equal(question(actionOf("restart"), one), null);
  const asked = question(actionOf("restart"), { ...one, pending_command: "switch" });
  assert.equal(asked.title, "Restart the agent of web1?");
  assert.match(asked.text, /Switch goes on meanwhile/);
  assert.equal(asked.danger, false);
  assert.match(questionForMany(actionOf("restart"), [one, { ...one, pending_command: "switch" }]).text, /A command that runs goes on meanwhile/);
  assert.equal(questionForMany(actionOf("restart"), [one]).text, "");
});
