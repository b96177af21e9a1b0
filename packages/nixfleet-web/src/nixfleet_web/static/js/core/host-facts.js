/** What a host's page says of it: facts in words, its generations, its last runs. Pure. */

import { ago, duration, moment, plural, runLength, shortCommit, span } from "./format.js";
import { commandName, platformName, runWord, systemName } from "./words.js";

/**
 * @typedef {import("./types.js").Host} Host
 * @typedef {import("./types.js").Run} Run
 * @typedef {{label: string, value: string, title: string, tone: string, mono: boolean}} Fact
 */

/** The name in a store path: without the directory and the hash. @param {string|null|undefined} path */
export const storeName = (path) => (path ?? "").replace(/^.*\/[a-z0-9]{32}-/, "");

/** @param {string|null|undefined} path */
const storeHash = (path) => /\/([a-z0-9]{7})[a-z0-9]{25}-/.exec(path ?? "")?.[1] ?? "";

const REBOOT = { required: "needed", advised: "advised", no: "not needed", unknown: "unknown" };
const SYSTEM = { normal: "as its profile says", staged: "another one is staged for the next boot", test: "on trial", drift: "differs from its profile", unknown: "unknown" };

/** @param {number} bytes */
export function size(bytes) {
  const steps = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  let value = bytes;
  while (value >= 1024 && at < steps.length - 1) {
    value /= 1024;
    at += 1;
  }
  return `${value < 10 && at ? value.toFixed(1) : Math.round(value)} ${steps[at]}`;
}

/** In the order to show them; what isn't known is left out. @param {Host} host @param {number} now @returns {Fact[]} */
export function factsOf(host, now) {
  const facts = /** @type {Partial<import("./types.js").Facts>} */ (host.facts ?? {});
  const found = /** @type {Fact[]} */ ([]);
  /** @param {string} label @param {string|number|null|undefined|false} value @param {{title?: string|null, tone?: string, mono?: boolean}} [more] */
  const add = (label, value, { title = "", tone = "", mono = false } = {}) => {
    if (value) found.push({ label, value: String(value), title: title ?? "", tone, mono });
  };
  const store = (/** @type {string|null|undefined} */ path) => path && `${storeHash(path)} ${storeName(path)}`.trim();
  add("Operating system", systemName(host));
  add("Managed as", platformName(host));
  add("Branch", facts.branch, { mono: true });
  add("Checked out", facts.commit && `${shortCommit(facts.commit)}${facts.dirty ? " + changes in no commit" : ""}`, { mono: true, title: facts.commit, tone: facts.dirty ? "warn" : "" });
  add("Wanted", facts.wanted_commit && `${shortCommit(facts.wanted_commit)}${facts.behind ? `, ${facts.behind} ahead of it` : ""}`, { mono: true, title: facts.wanted_commit, tone: facts.behind ? "warn" : "" });
  add("Last fetched", facts.wanted_at && ago(facts.wanted_at, now));
  add("Repository", facts.repo_error, { tone: "bad" });
  add("Runs from commit", facts.configuration_revision && facts.configuration_revision.slice(0, 14), { mono: true, title: facts.configuration_revision });
  add("Runs", store(facts.store_path), { mono: true, title: facts.store_path });
  const same = (/** @type {string|null|undefined} */ path) => path === facts.store_path;
  add("Profile", store(facts.profile_path), { mono: true, title: facts.profile_path, tone: same(facts.profile_path) ? "" : "warn" });
  add("Booted", store(facts.booted_path), { mono: true, title: facts.booted_path });
  add("System", facts.system && (SYSTEM[/** @type {keyof typeof SYSTEM} */ (facts.system)] ?? facts.system), { tone: facts.system === "normal" ? "" : "warn" });
  add("Kernel", facts.kernel_running && (facts.kernel_next && facts.kernel_next !== facts.kernel_running ? `${facts.kernel_running}, next boot ${facts.kernel_next}` : facts.kernel_running), { mono: true });
  const reasons = facts.reboot_reasons?.length ? `: ${facts.reboot_reasons.join(", ")}` : "";
  add("Reboot", facts.reboot && `${REBOOT[/** @type {keyof typeof REBOOT} */ (facts.reboot)] ?? facts.reboot}${reasons}`, { tone: facts.reboot === "required" ? "warn" : "" });
  add("Failed units", facts.failed_units?.join(", "), { mono: true, tone: "bad" });
  add("nixpkgs", facts.nixpkgs_version, { mono: true });
  add("Store", typeof facts.store_free === "number" && facts.store_total && `${size(facts.store_free)} free of ${size(facts.store_total)}`);
  add("Agent", host.agent_version && `${host.agent_version}${host.compatible ? "" : ", too old"}`, { mono: true, tone: host.compatible ? "" : "bad" });
  add("Heartbeat", `each ${span(host.interval * 1000)}`);
  add("There", host.availability !== null && `${host.availability.toFixed(host.availability >= 99.95 || host.availability < 10 ? 0 : 1)} % of the last 30 days`);
  add("Added", host.created_at && moment(host.created_at, now));
  add("Queued", host.queued > 0 && plural(host.queued, "run"));
  return found;
}

/**
 * Its generations, newest first: with what each changed where the run that made it is known, and with what returning
 * to it would change where that was compared with what runs now.
 * @param {Host} host @param {readonly Run[]} runs newest first @param {number} now
 */
export function generationsOf(host, runs, now) {
  const running = host.facts?.store_path ?? "";
  return [...(host.facts?.generations ?? [])].reverse().map((generation) => {
    const number = String(generation.number);
    const made = runs.find(
      (run) => run.command !== "check" && run.generation === number && run.outcome?.changes && [null, run.outcome.store_path].includes(generation.store_path),
    );
    const compared = runs.find(
      ({ command, result, options, outcome }) =>
        command === "check" && result === "ok" && options.generation === generation.number && outcome?.store_path === generation.store_path && outcome.previous === running,
    );
    return {
      number: generation.number,
      title: `Generation ${number}`,
      when: generation.created_at === null ? "" : moment(generation.created_at, now),
      version: generation.version ?? "",
      path: generation.store_path ?? "",
      state: generation.current ? "runs now" : generation.selected ? "next boot" : generation.store_path === null ? "deleted" : "",
      possible: !generation.current && generation.store_path !== null,
      changes: made?.outcome?.changes ?? "",
      back: compared ? wouldChange(compared) : "",
    };
  });
}

/** @param {Run} run a check that ended well */
const wouldChange = ({ outcome, message }) => [outcome?.changes, outcome?.units].filter(Boolean).join("\n") || message;

/** Its last runs as a strip, newest first. @param {readonly Run[]} runs newest first @param {number} now */
export function stripOf(runs, now) {
  return runs.map((run) => {
    const word = runWord(run);
    const length = runLength(run, now);
    const took = run.state === "ended" && length !== null ? `, took ${duration(length)}` : "";
    return { id: run.run_id, tone: word.tone, shape: word.shape, label: `${commandName(run.command)} ${word.label}, ${ago(run.created_at, now)}${took}` };
  });
}
