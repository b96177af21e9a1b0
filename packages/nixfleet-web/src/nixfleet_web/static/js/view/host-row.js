/** One host on the page. The same code draws it first and with every update. */

import { ACTIONS, whyNot } from "../core/actions.js";
import { activity } from "../core/activity.js";
import { ago, shortCommit } from "../core/format.js";
import { commandName, platformName, presenceWord, systemName } from "../core/words.js";
import { hostPath, runPath } from "../shell/route.js";
import { icon, iconUrl, make, setAttribute, setText, stamp } from "./dom.js";
import { Meter } from "./meter.js";

const MAIN = new Set(["pull", "switch", "pull-switch", "test"]); // the others are icons beside them

/** @typedef {import("../core/types.js").Host} Host @typedef {import("../core/actions.js").Action} Action */

export class HostRow {
  /** @type {Host|null} */ #host = null;
  #live = false;
  /** @type {Map<Action, HTMLButtonElement>} */ #buttons = new Map();

  /** @param {string} hostId @param {(host: Host, action: Action, button: HTMLButtonElement) => void} onAction */
  constructor(hostId, onAction) {
    const { element, slots } = stamp("host-row");
    this.element = element;
    this.slots = slots;
    element.dataset.host = hostId;
    setText(slots.name, hostId);
    slots.name.setAttribute("href", hostPath(hostId));
    this.cpu = new Meter("CPU", `Processor load of ${hostId}`);
    this.ram = new Meter("RAM", `Memory in use on ${hostId}`);
    slots.load.append(this.cpu.element, this.ram.element);
    for (const action of ACTIONS) this.#addButton(hostId, action, onAction);
  }

  /** @param {Host} host @param {boolean} live @param {number} now by the server's clock */
  update(host, live, now) {
    if (host === this.#host && live === this.#live) return;
    if (this.#host && host.last_seen_at !== this.#host.last_seen_at && host.connected) this.#beat();
    this.#host = host;
    this.#live = live;
    this.#drawPresence(host);
    this.#drawFacts(host);
    this.slots.unmeasured.hidden = host.metrics !== null;
    this.cpu.element.hidden = this.ram.element.hidden = host.metrics === null;
    this.cpu.set(host.metrics?.cpu);
    this.ram.set(host.metrics?.ram);
    for (const [action, button] of this.#buttons) this.#drawButton(host, action, button);
    this.tick(now);
  }

  /** What changes with time alone. @param {number} now by the server's clock */
  tick(now) {
    const host = this.#host;
    if (!host) return;
    setText(this.slots.seen, host.last_seen_at === null ? "" : `· ${ago(host.last_seen_at, now)}`);
    this.#drawActivity(host, now);
  }

  /** @param {boolean} open its runs are shown below */
  mark(open) {
    setAttribute(this.element, "data-open", open ? "" : null);
    setAttribute(this.slots.name, "aria-current", open ? "true" : null);
  }

  /** @param {string} hostId @param {Action} action @param {(host: Host, action: Action, button: HTMLButtonElement) => void} onAction */
  #addButton(hostId, action, onAction) {
    const button = /** @type {HTMLButtonElement} */ (make("button", "button"));
    const main = MAIN.has(action.command);
    button.type = "button";
    button.dataset.command = action.command;
    button.append(icon(action.icon), make("span", main ? "" : "unseen", commandName(action.command)));
    button.setAttribute("aria-label", `${commandName(action.command)}: ${hostId}`);
    if (!main) button.classList.add("square");
    button.addEventListener("click", () => {
      // aria-disabled, not disabled: a button that has the focus keeps it while a command runs.
      if (this.#host && button.getAttribute("aria-disabled") !== "true") onAction(this.#host, action, button);
    });
    this.#buttons.set(action, button);
    this.slots[main ? "main-actions" : "extra-actions"].append(button);
  }

  /** @param {Host} host @param {Action} action @param {HTMLButtonElement} button */
  #drawButton(host, action, button) {
    const reason = whyNot(action, host, this.#live);
    setAttribute(button, "aria-disabled", reason ? "true" : "false");
    setAttribute(button, "title", reason || commandName(action.command));
  }

  /** @param {Host} host */
  #drawPresence(host) {
    const word = presenceWord(host.presence);
    const { slots } = this;
    setAttribute(this.element, "data-presence", host.presence);
    setAttribute(slots.id, "data-tone", word.tone);
    setAttribute(slots["shape-use"], "href", iconUrl(word.shape));
    setText(slots.presence, word.label);
    slots.criticality.hidden = host.criticality === "medium"; // only the exception is worth a tag
    setText(slots.criticality, host.criticality);
    slots.compatible.hidden = host.compatible;
  }

  /** @param {Host} host */
  #drawFacts(host) {
    const { slots } = this;
    const { facts } = host;
    setText(slots.system, host.presence === "new" ? "–" : systemName(host));
    const agent = host.agent_version ? `agent ${host.agent_version}` : "";
    const platform = host.platform === "unknown" || facts?.os === platformName(host) ? "" : platformName(host);
    setText(slots.agent, [platform, agent].filter(Boolean).join(" · "));
    setText(slots.generation, facts?.generation ? `Gen ${facts.generation}` : "–");
    const trouble = facts?.repo_error;
    setText(slots.commit, trouble ? "repo error" : shortCommit(facts?.commit));
    slots.commit.classList.toggle("host-trouble", Boolean(trouble));
    setAttribute(slots.commit, "title", trouble || (facts?.commit ? `${facts.branch ?? ""} ${facts.commit}`.trim() : null));
    setAttribute(slots.system, "title", systemName(host));
  }

  /** @param {Host} host @param {number} now */
  #drawActivity(host, now) {
    const { slots } = this;
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
    setText(slots["run-detail"], shown.detail);
    setAttribute(slots["run-detail"], "title", host.last_run?.message || null);
    const going = shown.share !== undefined;
    slots["run-progress"].hidden = !going;
    setAttribute(slots["run-progress"], "data-unknown", going && shown.share === null ? "" : null);
    slots["run-fill"].style.width = typeof shown.share === "number" ? `${shown.share * 100}%` : "";
  }

  #beat() {
    const { beat } = this.slots;
    beat.dataset.beat = beat.dataset.beat === "a" ? "b" : "a"; // another name starts the animation again
  }
}
