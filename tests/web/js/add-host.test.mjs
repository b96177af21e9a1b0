import assert from "node:assert/strict";
import { test } from "node:test";

const js = "../../../packages/nixfleet-web/src/nixfleet_web/static/js";
const { WAYS, wayOf } = await import(`${js}/core/add-host.js`);

const GIVEN = { name: "web1", url: "https://fleet.example.org", token: "t0ken", repository: "", branch: "main" };
const configuration = (id, more) => wayOf(id).steps({ ...GIVEN, ...more })[1];

test("without a repository the snippet says what to fill in, and invents none", () => {
  for (const { id } of WAYS.filter(({ token }) => token === "host")) {
    const { title, text } = configuration(id, { repository: "  ", branch: "other" });
    assert.match(title, /its repository filled in$/);
    assert.match(text, /\n  # Fill in the repository of its configuration:\n  # repository\.url = "";\n};$/);
    assert.ok(!text.includes("git@"));
    assert.ok(!text.includes("repository.branch"), "a branch of nothing");
  }
});

test("with a repository it is the one that was given, as a string of the Nix language", () => {
  const { title, text } = configuration("nixos", { repository: ' git@x:"a${b}.git ', branch: "other" });
  assert.match(title, /with the module imported$/);
  assert.match(text, /\n  repository\.url = "git@x:\\"a\\\$\{b\}\.git";\n  repository\.branch = "other";\n};$/);
});
