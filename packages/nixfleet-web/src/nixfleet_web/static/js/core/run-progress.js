/** How far a run is, in words: steps, tests, what Nix builds and copies, how long it may still take. Pure. */

import { share } from "./activity.js";
import { duration, runLength, span } from "./format.js";
import { nixWords } from "./nix-progress.js";

/** @typedef {import("./types.js").Run} Run */

const LIKE = 7; // earlier runs that are looked at
const DONE = new Set(["ok", "degraded", "unconfirmed"]);

export const NO_PROGRESS = {
  step: "",
  count: "",
  current: "",
  eta: "",
  percent: /** @type {number|null} */ (null),
  unknown: false,
  fill: /** @type {Record<string, string>} */ ({}),
};

/**
 * @param {Run} run that goes on @param {number} now by the server's clock @param {readonly Run[]} history of its host, newest first
 * @returns {typeof NO_PROGRESS}
 */
export function progressView(run, now, history = []) {
  const eta = etaWords(run, now, history);
  const { progress } = run;
  if (!progress) return { ...NO_PROGRESS, step: run.state === "running" ? "running" : "", eta, unknown: true };
  const { nix } = progress;
  const done = share(progress);
  const percent = done === null ? null : Math.round(done * 100);
  return {
    step: nix ? nixWords(nix) || progress.label || progress.phase : progress.label || progress.phase,
    count: nix ? "" : countWords(progress),
    current: nix ? [nix.current, nix.build_phase].filter(Boolean).join(" · ") : "",
    eta,
    percent,
    unknown: percent === null,
    fill: percent === null ? {} : { width: `${percent}%` },
  };
}

/** "3/10 tests, 2 passed, 1 failed". @param {import("./types.js").Progress} progress */
function countWords({ current, total, passed, failed }) {
  if (total <= 0) return "";
  return passed === null ? `${current}/${total}` : `${current}/${total} tests · ${passed} passed, ${failed ?? 0} failed`;
}

/** What such a run took on this host lately: the median, milliseconds; null when it never ran. @param {Run} run @param {readonly Run[]} history */
export function usualLength(run, history) {
  const lengths = history
    .filter((one) => one.run_id !== run.run_id && one.command === run.command && one.state === "ended" && DONE.has(one.result ?? ""))
    .slice(0, LIKE)
    .map((one) => runLength(one, 0))
    .filter((length) => length !== null)
    .sort((a, b) => a - b);
  return lengths.length ? lengths[Math.floor(lengths.length / 2)] : null;
}

/** @param {Run} run @param {number} now @param {readonly Run[]} history */
function etaWords(run, now, history) {
  const usual = usualLength(run, history);
  const past = runLength(run, now);
  if (usual === null || past === null || usual < 3000) return "";
  const left = usual - past;
  if (left > 1000) return `about ${span(left)} left`;
  return past > usual * 1.25 ? `usually ${duration(usual)}` : "any moment now";
}
