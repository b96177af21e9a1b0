/** The cells of a host's row, each drawn from the host alone. */

import { activity } from "../core/activity.js";
import { chips, fitting, generationOf, loadShare } from "../core/build.js";
import { ago, shortCommit } from "../core/format.js";
import { platformName, systemName } from "../core/words.js";
import { runPath } from "../shell/route.js";
import { drawChips } from "./chip.js";
import { iconUrl, make, setAttribute, setText } from "./dom.js";
import { Meter } from "./meter.js";

/** @typedef {import("../core/types.js").Host} Host @typedef {Record<string, HTMLElement>} Slots */

/** @param {Slots} slots @param {Host} host @param {number} now */
export function drawSeen(slots, host, now) {
  slots.age.hidden = host.last_seen_at === null;
  setText(slots.seen, ago(host.last_seen_at, now));
}

/** @param {Slots} slots @param {Host} host @param {number} now */
export function drawFacts(slots, host, now) {
  const { facts } = host;
  const system = host.presence === "new" ? "–" : systemName(host);
  const platform = host.platform === "unknown" || facts?.os === platformName(host) ? "" : platformName(host);
  const agent = host.agent_version ? `agent ${host.agent_version}` : "";
  setText(slots.system, system);
  setAttribute(slots.system, "title", system);
  setText(slots.agent, [platform, agent].filter(Boolean).join(" · "));
  setText(slots.generation, generationOf(facts));
  setAttribute(slots.generation, "title", facts?.generation ? `Generation ${facts.generation}` : null);
  const trouble = facts?.repo_error;
  setText(slots.commit, trouble ? "repo error" : shortCommit(facts?.commit));
  slots.commit.classList.toggle("host-trouble", Boolean(trouble));
  setAttribute(slots.commit, "title", trouble || (facts?.commit ? `${facts.branch ?? ""} ${facts.commit}`.trim() : null));
  const before = slots.chips.dataset.key;
  drawChips(slots.chips, chips(facts, now));
  if (slots.chips.dataset.key === before) return;
  lines.unobserve(slots.chips); // told anew once they are laid out, when their widths cost nothing to ask for
  lines.observe(slots.chips);
}

const lines = new ResizeObserver((entries) => entries.forEach(({ target }) => fold(/** @type {HTMLElement} */ (target))));
const GAP = 4;
const MORE = 28; // pixels of "+2"

/** One line of chips: those that don't fit are told as "+2". They stay there, below the line, for who can't see. @param {HTMLElement} line */
function fold(line) {
  const all = /** @type {HTMLElement[]} */ ([...line.querySelectorAll(".chip:not(.chips-more)")]);
  const shown = fitting(all.map((chip) => chip.offsetWidth), line.clientWidth, GAP, MORE);
  all.forEach((chip, at) => chip.classList.toggle("over", at >= shown));
  const more = line.querySelector(".chips-more") ?? make("span", "chip chips-more");
  if (shown === all.length) return more.remove();
  setText(more, `+${all.length - shown}`);
  setAttribute(more, "title", all.slice(shown).map((chip) => chip.textContent).join(", "));
  setAttribute(more, "aria-hidden", "true");
  line.append(more);
}

/** @param {Slots} slots @param {Host} host @param {number} now */
export function drawActivity(slots, host, now) {
  const shown = activity(host, now);
  slots.idle.hidden = shown !== null;
  slots.activity.hidden = shown === null;
  if (!shown) return;
  setAttribute(slots.activity, "href", runPath(shown.runId));
  setAttribute(slots.activity, "data-tone", shown.tone);
  setAttribute(slots["run-shape"], "data-shape", shown.shape);
  setAttribute(slots["run-use"], "href", iconUrl(shown.shape));
  setText(slots["run-command"], shown.command);
  setText(slots["run-outcome"], shown.outcome);
  setText(slots["run-unseen"], shown.unseen);
  setText(slots["run-detail"], shown.detail);
  setAttribute(slots["run-detail"], "title", host.last_run?.message || null);
  const going = shown.share !== undefined;
  slots["run-progress"].hidden = !going;
  setAttribute(slots["run-progress"], "data-unknown", going && shown.share === null ? "" : null);
  slots["run-fill"].style.width = typeof shown.share === "number" ? `${shown.share * 100}%` : "";
}

export class Load {
  /** @param {HTMLElement} box @param {string} hostId */
  constructor(box, hostId) {
    this.unmeasured = /** @type {HTMLElement} */ (box.firstElementChild);
    this.cpu = new Meter("CPU", `Processor load of ${hostId}`);
    this.ram = new Meter("RAM", `Memory in use on ${hostId}`);
    this.swap = new Meter("Swap", `Swap in use on ${hostId}`);
    this.load = new Meter("Load", `Load average of ${hostId}, against its processors`);
    this.meters = [this.cpu, this.ram, this.swap, this.load];
    box.append(...this.meters.map((meter) => meter.element));
  }

  /** @param {Host} host */
  draw({ metrics }) {
    this.unmeasured.hidden = metrics !== null;
    for (const meter of this.meters) meter.element.hidden = metrics === null;
    if (!metrics) return;
    this.cpu.set(metrics.cpu);
    this.ram.set(metrics.ram);
    this.swap.set(metrics.swap);
    this.load.set(loadShare(metrics), metrics.load === null ? undefined : metrics.load.toFixed(metrics.load < 10 ? 1 : 0));
  }
}
