/** What is shown of a run. Pure: the run and the time in, words out. */

import { ago, duration, moment, plural, runLength, shortCommit, span } from "./format.js";
import { NO_PROGRESS, progressView } from "./run-progress.js";
import { failuresView, leftView, meaning, stepsView, testWords } from "./run-result.js";
import { NO_CONNECTION, commandName, runWord } from "./words.js";

const SOON = 10 * 60_000; // a time-out this near is told

export const NO_RUN = {
  id: "",
  title: "",
  label: "",
  tone: "idle",
  shape: "ring",
  facts: /** @type {string[]} */ ([]),
  ended: false,
  stoppable: false,
  why: "", // nothing can be done about it now
  disabled: "false",
  slow: "",
  decidable: false,
  outcome: "",
  message: "",
  meaning: "",
  steps: /** @type {ReturnType<typeof stepsView>} */ ([]),
  failures: /** @type {ReturnType<typeof failuresView>} */ ([]),
  left: /** @type {string[]} */ ([]),
  changes: "",
  empty: "",
  progress: false,
  ...NO_PROGRESS,
};

/**
 * @param {import("./types.js").Run} run @param {number} now by the server's clock
 * @param {readonly import("./types.js").Run[]} [history] of its host, newest first
 * @param {{live?: boolean, since?: number|null, heard?: number}} [known] whether the server is there; when it was last
 *   heard how it goes on, null: just now; how many lines of the log came
 * @returns {typeof NO_RUN}
 */
export function runView(run, now, history = [], { live = true, since = null, heard = 0 } = {}) {
  const view = whole({ ...run, lines: Math.max(run.lines, heard) }, since === null ? now : Math.min(now, since), history);
  if (isToStop(run, history, now)) view.facts = [`stops once ${run.host_id} is back`, ...view.facts];
  if (since === null || view.ended) return view;
  return { ...view, ...unheard(view), ...(live ? {} : SERVERLESS) };
}

const UNKNOWN = { tone: "idle", shape: "ring" };

/** How it was when last heard of. @param {typeof NO_RUN} view */
const unheard = ({ label }) => ({ ...UNKNOWN, label: `${label} when last heard of`, eta: "" });

/** Nothing can be done about it. */
const SERVERLESS = { slow: "", why: NO_CONNECTION, disabled: "true" };

/** @param {import("./types.js").Run} run @param {number} now @param {readonly import("./types.js").Run[]} history @returns {typeof NO_RUN} */
function whole(run, now, history) {
  const word = runWord(run);
  const ended = run.state === "ended";
  const lasts = run.command !== "stop" && run.command !== "restart";
  const running = run.state === "running" && lasts;
  return {
    id: run.run_id,
    title: `${commandName(run.command)} on ${run.host_id}`,
    label: word.label,
    tone: word.tone,
    shape: word.shape,
    facts: facts(run, now),
    ended,
    stoppable: running || (run.state === "sent" && lasts),
    why: "",
    disabled: "false",
    slow: running ? slow(run, now) : "",
    decidable: typeof run.options?.timeout !== "number", // the host keeps a time-out that was given with the command
    outcome: outcome(run, word.label),
    message: run.message,
    meaning: meaning(run),
    steps: stepsView(run),
    failures: failuresView(run),
    left: leftView(run),
    changes: [run.outcome?.changes, run.outcome?.units].filter(Boolean).join("\n"),
    empty: empty(run, now),
    ...(ended ? NO_PROGRESS : progressView(run, now, history)),
    progress: run.state === "running",
  };
}

/** Why the operator may want to decide: it takes long, or will be ended soon. @param {import("./types.js").Run} run @param {number} now */
function slow(run, now) {
  const late = typeof run.warn_at === "number" && now >= run.warn_at;
  const end = typeof run.timeout_at === "number" ? run.timeout_at - now : null;
  if (!late && (end === null || end > SOON)) return "";
  const said = late ? "This takes longer than it should." : "";
  const told = end === null ? "" : end > 0 ? `It is ended in ${span(end)}.` : "It is being ended.";
  return [said, told].filter(Boolean).join(" ");
}

/** What stands where the log would be. @param {import("./types.js").Run} run @param {number} now */
function empty({ state, log_removed_at: removed }, now) {
  if (removed !== null) return `This log was removed ${ago(removed, now)}; the result stays`;
  return state === "ended" ? "It printed nothing" : "Waiting for output…";
}

/** One line of a host's history. @param {import("./types.js").Run} run @param {number} now @param {boolean} [live] the server is there */
export function historyView(run, now, live = true) {
  const word = live || run.state === "ended" ? runWord(run) : { ...runWord(run), ...UNKNOWN };
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

const PROMPT = 2000; // milliseconds that a stop may be on its way to a host that is there

/** Whether its host was away when it was to stop it, and is still. @param {import("./types.js").Run} run @param {readonly import("./types.js").Run[]} history @param {number} now */
const isToStop = (run, history, now) =>
  run.state !== "ended" &&
  history.some(({ command, state, options, created_at }) => command === "stop" && state === "sent" && options.target === run.run_id && now - created_at > PROMPT);

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
  const parts = [`${commandName(run.command)} ${label}`, testWords(run)];
  if (run.exit_code !== null) parts.push(`exit ${run.exit_code}`);
  return parts.filter(Boolean).join(" · ");
}
