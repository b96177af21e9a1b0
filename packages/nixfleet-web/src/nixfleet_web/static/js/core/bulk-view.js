/** A command on many hosts while it goes on: where each of them stands, and what is shown of that. Pure. */

import { stopHarm } from "./actions.js";
import * as defaults from "./defaults.js";
import { plural } from "./format.js";
import { commandName, runWord } from "./words.js";

/**
 * @typedef {import("./types.js").Run} Run
 * @typedef {{host_id: string, run: Run|null, problem: string, detail: string}} Item
 * @typedef {{bulk_id: string, command: string, state: string, items: Item[]}} Bulk
 * @typedef {"done"|"running"|"queued"|"waiting"|"failed"|"left"} Standing
 */

/** Ends of a run that never began: nothing was tried there. */
const UNTRIED = new Set(["stopped", "expired"]);

/**
 * In the order in which they are told; `always`: also of nobody, `open`: so while it goes on.
 * @type {{id: Standing, word: string, tone: string, always?: boolean, open?: boolean}[]}
 */
const STANDINGS = [
  { id: "done", word: "done", tone: "ok", always: true },
  { id: "running", word: "running", tone: "work", open: true },
  { id: "waiting", word: "waiting", tone: "idle", open: true },
  { id: "queued", word: "queued", tone: "idle" },
  { id: "failed", word: "failed", tone: "bad", always: true },
  { id: "left", word: "left out", tone: "warn" },
];

/** @type {Record<string, {tone: string, shape: string}>} */
const END = { done: { tone: "ok", shape: "check" }, left: { tone: "warn", shape: "triangle" }, failed: { tone: "bad", shape: "cross" } };

/**
 * The server's answer, with what the socket has told since.
 * @param {any} raw a BulkView @param {Map<string, Run>} runs @returns {Bulk}
 */
export function taken(raw, runs) {
  const items = raw.items.map((/** @type {any} */ item) => ({ problem: "", detail: "", ...item, run: item.run ? defaults.run(item.run) : null }));
  return heard({ ...raw, items }, runs);
}

/** With what was heard of its runs; the same one when that is nothing new. @param {Bulk} bulk @param {Map<string, Run>} runs @returns {Bulk} */
export function heard(bulk, runs) {
  /** @type {Map<string, Run>} */
  const mine = new Map();
  for (const run of runs.values()) if (run.bulk_id === bulk.bulk_id) mine.set(run.host_id, run);
  const items = bulk.items.map((item) => {
    const run = mine.get(item.host_id);
    // A run that has ended stays so: the two ways on which one hears of it are not equally fast.
    return !run || run === item.run || item.run?.state === "ended" ? item : { ...item, run };
  });
  return items.some((item, at) => item !== bulk.items[at]) ? { ...bulk, items } : bulk;
}

/** @param {Item} item @returns {Standing} */
export function standing({ run, problem }) {
  if (!run) return problem ? "left" : "waiting";
  if (run.state === "queued") return "queued";
  if (run.state !== "ended") return "running";
  if (run.result === "ok") return "done";
  return run.started_at === null && UNTRIED.has(run.result ?? "") ? "left" : "failed";
}

/** Where all of them stand, to see whether that changed. @param {Bulk} bulk */
export const standings = (bulk) => bulk.items.map(standing).join();

/** Something runs or waits for a host, so that one will hear of it. @param {Bulk} bulk */
export const astir = (bulk) => bulk.items.some((item) => ["running", "queued"].includes(standing(item)));

/** @param {Bulk} bulk */
export function bulkView(bulk) {
  const over = bulk.state === "ended";
  const groups = STANDINGS.map((group) => ({ ...group, items: bulk.items.filter((item) => standing(item) === group.id) }));
  const words = groups
    .filter(({ items, always, open }) => items.length || always || (open && !over))
    .map(({ id, word, items }) => (id === "done" ? `${items.length} of ${bulk.items.length} done` : `${items.length} ${word}`));
  const wrong = groups.filter(({ id }) => id === "failed" || id === "left");
  const worst = wrong.find(({ items }) => items.length)?.id ?? "done";
  return {
    title: `${commandName(bulk.command)} on ${plural(bulk.items.length, "host")}`,
    first: `${commandName(bulk.command)}: ${words[0]}`,
    rest: `, ${words.slice(1).join(", ")}`,
    over,
    ...(over ? END[worst] : { tone: "work", shape: "spin" }),
    shares: groups.map(({ id, tone, items }) => ({ id, tone, count: items.length })),
    wrong: wrong.flatMap(({ items }) => items.map(wrongView)),
  };
}

/** What to ask before all that is left of it is stopped. @param {Bulk} bulk @returns {import("./actions.js").Question} */
export function stopQuestion(bulk) {
  const now = bulk.items.map(standing);
  const running = now.filter((one) => one === "running").length;
  const unbegun = now.filter((one) => one === "waiting" || one === "queued").length;
  const parts = [running && `It is stopped on ${plural(running, "host")}. ${stopHarm(bulk.command)}`, unbegun && `${plural(unbegun, "host")} where it has not begun ${unbegun === 1 ? "is" : "are"} left out.`];
  return { title: `Stop “${commandName(bulk.command)}” on all of them?`, text: parts.filter(Boolean).join(" "), confirm: "Stop all", danger: true };
}

/** How it ended, for a screen reader. @param {Bulk} bulk */
export function bulkEnd(bulk) {
  const { title, first, rest } = bulkView(bulk);
  return `${title} is over: ${first.slice(first.indexOf(": ") + 2)}${rest}`;
}

/** @param {Item} item that failed or was left out */
function wrongView(item) {
  const { host_id: name, run, detail, problem } = item;
  const word = !run || standing(item) === "left" ? { label: "left out", tone: "warn", shape: "square" } : runWord(run);
  return { name, run: run?.run_id ?? "", word: word.label, tone: word.tone, shape: word.shape, said: run ? run.message : detail || problem };
}
