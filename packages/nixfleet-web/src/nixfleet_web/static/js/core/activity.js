/** What a host does, or did last: what its row shows of its newest run. Pure. */

import { ago, duration, runLength } from "./format.js";
import { nixShare, nixWords } from "./nix-progress.js";
import { commandName, runWord } from "./words.js";

/**
 * @typedef {object} Activity
 * @property {string} runId
 * @property {string} tone
 * @property {string} shape
 * @property {string} command
 * @property {string} outcome
 * @property {string} unseen what the turning shape says to the eye: for who can't see it
 * @property {string} detail
 * @property {number|null|undefined} share of the way, 0–1; null while unknown; undefined when nothing goes on
 */

/** Of a run whose host can't be reached nobody knows how it goes on: it shows how far it was, and stands still. */
const LOST = { tone: "idle", shape: "dashed", outcome: "", unseen: "" };

/** @param {import("./types.js").Host} host @param {number} now by the server's clock @returns {Activity|null} */
export function activity(host, now) {
  const run = host.last_run;
  if (!run) return null;
  const word = runWord(run);
  const base = { runId: run.run_id, tone: word.tone, shape: word.shape, command: commandName(run.command) };
  if (run.state === "ended") {
    const detail = [ago(run.ended_at, now), run.message].filter(Boolean).join(" · ");
    return { ...base, outcome: word.label, unseen: "", detail, share: undefined };
  }
  const lost = host.presence === "unreachable";
  const length = runLength(run, lost ? Math.min(now, host.last_seen_at ?? now) : now);
  const time = length === null ? "" : duration(length - (length % 1000)).replace(".0 s", " s");
  const { nix = null, label = "", phase = "" } = run.progress ?? {};
  const step = (nix && nixWords(nix)) || label || phase;
  const detail = [lost && "was running", time, step].filter(Boolean).join(" · ");
  const done = share(run.progress);
  if (lost) return { ...base, ...LOST, detail, share: done ?? 0 };
  const said = run.state === "running" ? { outcome: "", unseen: word.label } : { outcome: word.label, unseen: "" };
  return { ...base, ...said, detail, share: done };
}

/** @param {import("./types.js").Progress|null} progress @returns {number|null} */
export function share(progress) {
  if (progress?.nix) return nixShare(progress.nix);
  if (!progress || progress.total <= 0) return null;
  return Math.min(1, progress.current / progress.total);
}
