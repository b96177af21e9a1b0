/** What the dock shows of a run. Pure: the run and the time in, words out. */

import { share } from "./activity.js";
import { duration, moment, plural, runLength, shortCommit } from "./format.js";
import { commandName, runWord } from "./words.js";

const NO_PROGRESS = {
  step: "",
  count: "",
  percent: /** @type {number|null} */ (null),
  unknown: false,
  fill: /** @type {Record<string, string>} */ ({}),
};

export const NO_RUN = {
  id: "",
  title: "",
  label: "",
  tone: "idle",
  shape: "ring",
  facts: /** @type {string[]} */ ([]),
  ended: false,
  stoppable: false,
  outcome: "",
  message: "",
  failures: /** @type {{name: string, exit: string, output: string}[]} */ ([]),
  progress: false,
  ...NO_PROGRESS,
};

/** @param {import("./types.js").Run} run @param {number} now by the server's clock @returns {typeof NO_RUN} */
export function runView(run, now) {
  const word = runWord(run);
  const ended = run.state === "ended";
  return {
    id: run.run_id,
    title: `${commandName(run.command)} on ${run.host_id}`,
    label: word.label,
    tone: word.tone,
    shape: word.shape,
    facts: facts(run, now),
    ended,
    stoppable: run.state === "running" && run.command !== "stop" && run.command !== "restart",
    outcome: outcome(run, word.label),
    message: run.message,
    failures: (run.tests?.failures ?? []).map(failure),
    progress: !ended && run.progress !== null,
    ...(run.progress ? progressView(run.progress) : NO_PROGRESS),
  };
}

/** @param {import("./types.js").Progress} progress @returns {typeof NO_PROGRESS} */
function progressView(progress) {
  const done = share(progress);
  const percent = done === null ? null : Math.round(done * 100);
  const tests = progress.passed === null ? "" : ` · ${progress.passed} passed, ${progress.failed ?? 0} failed`;
  return {
    step: progress.label || progress.phase,
    count: done === null ? "" : `${progress.current}/${progress.total}${tests}`,
    percent,
    unknown: percent === null,
    fill: percent === null ? {} : { width: `${percent}%` },
  };
}

/** One line of a host's history. @param {import("./types.js").Run} run @param {number} now */
export function historyView(run, now) {
  const word = runWord(run);
  const length = runLength(run, now);
  const took = run.state === "ended" && length !== null ? duration(length) : "";
  return {
    id: run.run_id,
    command: commandName(run.command),
    tone: word.tone,
    shape: word.shape,
    when: moment(run.created_at, now),
    outcome: [word.label, took].filter(Boolean).join(" · "),
  };
}

/** How a run ended, for a screen reader. @param {import("./types.js").Run} run */
export const announcement = (run) =>
  `${commandName(run.command)} on ${run.host_id}: ${runWord(run).label}${run.message ? `, ${run.message}` : ""}`;

/** @param {import("./types.js").Run} run @param {number} now */
function facts(run, now) {
  const length = runLength(run, now);
  const some = [
    run.started_by && `by ${run.started_by}`,
    moment(run.created_at, now),
    length !== null && duration(length),
    run.lines > 0 && plural(run.lines, "line"),
    run.generation && `generation ${run.generation}`,
    run.commit && `commit ${shortCommit(run.commit)}`,
  ];
  return /** @type {string[]} */ (some.filter((fact) => typeof fact === "string" && fact !== ""));
}

/** @param {import("./types.js").Run} run @param {string} label */
function outcome(run, label) {
  const parts = [`${commandName(run.command)} ${label}`];
  if (run.tests) parts.push(`${run.tests.passed} of ${plural(run.tests.total, "test")} passed`);
  if (run.exit_code !== null) parts.push(`exit ${run.exit_code}`);
  return parts.join(" · ");
}

/** @param {import("./types.js").TestFailure} failed */
const failure = ({ name, exit_code: code, output }) => ({
  name,
  exit: code === null ? "" : `exit ${code}`,
  output: output || "(it printed nothing)",
});
