import assert from "node:assert/strict";
import { test } from "node:test";

const js = "../../../packages/nixfleet-web/src/nixfleet_web/static/js";
const { PASSWORD_MIN, objection, strength, suggestion } = await import(`${js}/core/password.js`);

test("a short, plain or mistyped password is refused with what is wrong", () => {
  assert.match(objection("short", "short"), /at least 12 characters; it has 5/);
  assert.match(objection("aaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaa"), /repeats/);
  assert.match(objection("a good long password", "a good long pasword"), /not the same/);
  assert.equal(objection("a good long password", "a good long password"), "");
});

test("what is suggested is strong and differs each time", () => {
  let turn = 0;
  const made = suggestion((below) => (turn += 7) % below);
  assert.match(made, /^([a-z2-9]{5}-){4}[a-z2-9]{5}$/);
  assert.ok(made.length >= PASSWORD_MIN);
  const random = suggestion((below) => Math.floor(Math.random() * below));
  assert.notEqual(random, suggestion((below) => Math.floor(Math.random() * below)));
  assert.equal(strength(random), 4);
});

test("strength rises with length, and nothing short is strong", () => {
  assert.deepEqual(["", "Ab1!", "abcdefghijkl", "correct horse battery", "Correct-Horse-Battery-7!staple"].map(strength), [0, 1, 2, 3, 4]);
});
