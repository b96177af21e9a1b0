/** How a run ended and what it left: steps, failed builds, failed tests, units, changes, reboot. Pure. */

import { digits, duration, plural } from "./format.js";

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

const FEW = 5; // failures that all stand open
const FIRST = 3; // that stand open where there are more

/** @typedef {{id: string, name: string, exit: string, output: string, command: string, open: boolean, names: {id: string, name: string}[]}} Failure `names`: of others, in place of an output */

/**
 * What failed, each with the last it printed: derivations first, for they are why, then tests. Where they are many, all
 * names come before in one list, and only the first failures are open. A host tells of so many tests; the log has the rest.
 * @param {Run} run @returns {Failure[]}
 */
export function failuresView(run) {
  const failures = listed(run);
  const more = Math.max(0, (run.tests?.failed ?? 0) - (run.tests?.failures.length ?? 0));
  if (!failures.length || (failures.length <= FEW && !more)) return failures;
  const names = {
    ...failures[0],
    id: `${run.run_id}-names`,
    name: `${digits(failures.length + more)} failed`,
    exit: more ? `${digits(more)} more failed: the log has them` : "",
    output: "",
    command: "",
    names: failures.map(({ id, name }) => ({ id, name })),
  };
  return [names, ...failures.map((failure, at) => ({ ...failure, open: at < FIRST }))];
}

/** @param {Run} run @returns {Failure[]} ids are the run's own: what one folds in one run is not folded in the next */
function listed({ run_id: id, outcome, tests }) {
  const builds = (outcome?.failures ?? []).map((failure, at) => ({
    id: `${id}-build-${at}`,
    name: failure.name,
    exit: failure.reason,
    output: visible(failure.log),
    command: failure.derivation ? `nix log ${failure.derivation}` : "",
    open: true,
    names: [],
  }));
  const failed = (tests?.failures ?? []).map((failure, at) => ({
    id: `${id}-test-${at}`,
    name: failure.name,
    exit: failure.exit_code === null ? "" : `exit ${failure.exit_code}`,
    output: visible(failure.output),
    command: "",
    open: true,
    names: [],
  }));
  return [...builds, ...failed];
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
