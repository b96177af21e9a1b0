import assert from "node:assert/strict";
import { test } from "node:test";

const js = "../../../packages/nixfleet-web/src/nixfleet_web/static/js";
const { differenceOf } = await import(`${js}/core/difference.js`);

/** @param {string} text */
const short = (text) => differenceOf(text).groups.map(({ title, changes }) => [title, ...changes.map(({ name, before, after, size }) => [name, before, after, size].join("|"))]);

test("packages are told apart by what became of them", () => {
  const text = [
    "caddy: 2.9.1 → 2.10.0, +1.3 MiB",
    "pgvector: ∅ → 0.8.1, +612.7 KiB",
    "perl5.40.0-Config: 3.0 → ∅, -91.0 KiB",
    "etc-hosts: +0.2 KiB",
    "linux: 6.12.58, 6.12.58-modules → 6.12.60, 6.12.60-modules",
    "set-environment: ε → ∅",
    "glibc: 2.40-66 → 2.40-68, 2.40-68-bin, -120 B",
  ].join("\n");
  assert.deepEqual(short(text), [
    ["Changed", "caddy|2.9.1|2.10.0|+1.3 MiB", "linux|6.12.58, 6.12.58-modules|6.12.60, 6.12.60-modules|", "glibc|2.40-66|2.40-68, 2.40-68-bin|-120 B"],
    ["New", "pgvector||0.8.1|+612.7 KiB"],
    ["Gone", "perl5.40.0-Config|3.0||-91.0 KiB", "set-environment|no version||"],
    ["Same version, rebuilt", "etc-hosts|||+0.2 KiB"],
  ]);
  assert.equal(differenceOf(text).words, "7 packages");
});

test("units of a dry activation are a group of their own, and count as no package", () => {
  const text = "would stop the following units: a.service\nwould NOT stop the following changed units: b.service, c.service\nwould activate the configuration...";
  assert.deepEqual(short(text), [["Units", "would stop||a.service|", "would NOT stop||b.service, c.service|"]]);
  assert.deepEqual([differenceOf(text).words, differenceOf(text).rest], ["", "would activate the configuration..."]);
});

test("no line is lost, whatever it is", () => {
  const parts = ["", " ", ":", ": ", "→", " → ", "∅", "ε", "a", "b.c", ", ", "+1.0 KiB", "-3 B", "would stop the following units: ", "…", "\u001b[31m"];
  let seed = 7;
  const any = () => parts[(seed = (seed * 48271) % 2147483647) % parts.length];
  for (let round = 0; round < 3000; round += 1) {
    const line = Array.from({ length: 1 + (round % 7) }, any).join("");
    const { groups, rest } = differenceOf(line);
    const shown = groups.flatMap(({ changes }) => changes).length + (rest ? 1 : 0);
    assert.equal(shown, line.trim() ? 1 : 0, JSON.stringify(line));
    if (rest) assert.equal(rest, line);
  }
});
