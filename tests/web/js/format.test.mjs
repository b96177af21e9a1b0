import assert from "node:assert/strict";
import { test } from "node:test";

const js = "../../../packages/nixfleet-web/src/nixfleet_web/static/js";
const { clock, clockMinute, moment, stamp } = await import(`${js}/core/format.js`);

const AT = new Date(2025, 10, 25, 19, 8, 5).getTime();

test("one clock of 24 hours, whatever the language of the browser", () => {
  assert.equal(clock(AT), "19:08:05");
  assert.equal(clock(new Date(2025, 10, 25, 0, 0, 0).getTime()), "00:00:00");
  assert.equal(clockMinute(AT), "19:08");
  assert.equal(moment(AT, AT + 60_000), "19:08:05");
  assert.match(moment(AT, AT + 86_400_000), / 19:08$/);
  assert.match(stamp(AT), /2025.* 19:08:05$/);
  assert.doesNotMatch(moment(AT, AT + 86_400_000) + stamp(AT), /[AP]M/);
});
