import assert from "node:assert/strict";
import { test } from "node:test";
import { ACTIONS, whyNot, whyNotCompare } from "../../../packages/nixfleet-web/src/nixfleet_web/static/js/core/actions.js";
import { host } from "../../../packages/nixfleet-web/src/nixfleet_web/static/js/core/defaults.js";

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
