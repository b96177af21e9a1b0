/** How a run ended and what it left: steps, failed builds, failed tests, units, changes, reboot. Pure. */

import { duration, plural } from "./format.js";

/** @typedef {import("./types.js").Run} Run */

/** @type {Record<string, {tone: string, shape: string}>} */
const STEP = {
  ok: { tone: "ok", shape: "check" },
  degraded: { tone: "warn", shape: "triangle" },
  failed: { tone: "bad", shape: "cross" },
  skipped: { tone: "idle", shape: "dashed" },
  stopped: { tone: "warn", shape: "square" },
};

/** @type {Record<string, string>} what a result means, where the word alone does not say it */
const MEANING = {
  degraded: "The new system runs, but not all of its units do.",
  unconfirmed: "The new system runs; nobody confirmed in time that it is well, and it was kept.",
  rolled_back: "The new system was taken back: the one before runs again.",
  interrupted: "The host went away in the middle, and its agent no longer knows of this run.",
  expired: "It waited for its host until its time was up, and was not begun.",
  timed_out: "It took longer than it may, and was ended.",
  lost: "The host was told, and nothing was heard of it again.",
};

/** @param {Run} run */
export const meaning = (run) => MEANING[run.result ?? ""] ?? "";

/** @param {Run} run */
export function stepsView(run) {
  return (run.outcome?.steps ?? []).map(({ name, outcome, message, seconds }, at) => ({
    id: `${at}-${name}`,
    name,
    outcome,
    message,
    took: seconds > 0 ? duration(seconds * 1000) : "",
    ...(STEP[outcome] ?? STEP.failed),
  }));
}

/**
 * What failed, each with the last it printed: derivations first, for they are why, then tests.
 * @param {Run} run @returns {{id: string, name: string, exit: string, output: string, command: string}[]}
 */
export function failuresView(run) {
  const builds = (run.outcome?.failures ?? []).map((failure, at) => ({
    id: `build-${at}`,
    name: failure.name,
    exit: failure.reason,
    output: visible(failure.log),
    command: failure.derivation ? `nix log ${failure.derivation}` : "",
  }));
  const tests = (run.tests?.failures ?? []).map((failed, at) => ({
    id: `test-${at}`,
    name: failed.name,
    exit: failed.exit_code === null ? "" : `exit ${failed.exit_code}`,
    output: visible(failed.output),
    command: "",
  }));
  return [...builds, ...tests];
}

/** "9 of 10 tests passed"; with "1 failed, 2 not run" where it was stopped; empty for what is no test. @param {Run} run */
export function testWords({ tests }) {
  if (!tests) return "";
  if (tests.total === 0) return "no tests";
  const open = tests.total - tests.passed - tests.failed;
  const passed = `${tests.passed} of ${plural(tests.total, "test")} passed`;
  return open > 0 ? `${passed}, ${tests.failed} failed, ${open} not run` : passed;
}

/** Short words about what it left behind. @param {Run} run @returns {string[]} */
export function leftView(run) {
  const { outcome } = run;
  if (!outcome) return [];
  const left = [];
  if (outcome.failed_units.length) left.push(`Failed units: ${outcome.failed_units.join(", ")}`);
  if (outcome.reboot === "required" || outcome.reboot === "advised") {
    const why = outcome.reboot_reasons.length ? `: ${outcome.reboot_reasons.join(", ")}` : "";
    left.push(`Reboot ${outcome.reboot}${why}`);
  }
  return left;
}

const ESCAPE = /\x1b\[[\d;:?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]/g;
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;

/** Colours and whatever else a program printed for a terminal go, and what it wrote over; the words stay. @param {string} text */
function visible(text) {
  const lines = text.replace(ESCAPE, "").split("\n");
  const last = (/** @type {string} */ line) => line.split("\r").findLast((part) => part !== "") ?? "";
  return lines.map((line) => last(line).replace(CONTROL, "")).join("\n") || "(it printed nothing)";
}
