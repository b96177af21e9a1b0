/** What needs somebody, worst first, above the list: a card a host, with what to do about it. Gone when nothing does. */

import { actionOf, whyNot } from "../core/actions.js";
import { plural } from "../core/format.js";
import { problemsOf } from "../core/problems.js";
import { commandName } from "../core/words.js";
import { hostPath, runPath } from "../shell/route.js";
import { shape } from "./chip.js";
import { byId, make, setText } from "./dom.js";

/** @typedef {import("../core/types.js").Host} Host @typedef {import("../core/problems.js").Problem} Problem */

const SHOWN = 6;
const SHOWN_NARROW = 3;
const NARROW = matchMedia("(max-width: 760px)");
const SHAPE = { bad: "cross", warn: "triangle" };

/**
 * @typedef {object} Hands
 * @property {(host: Host, command: string, button: HTMLElement) => void} act
 * @property {(runId: string, action: "wait"|"stop"|"ignore") => void} slow
 * @property {() => void} all show all hosts that need somebody
 */

export class ProblemCards {
  #box = byId("problems", HTMLElement);
  #list = byId("problem-list", HTMLUListElement);
  #title = byId("problems-title", HTMLHeadingElement);
  #more = byId("problems-more", HTMLButtonElement);
  /** @type {Map<string, {key: string, element: HTMLElement}>} */ #cards = new Map();

  /** @param {Hands} hands */
  constructor(hands) {
    this.hands = hands;
    this.#more.addEventListener("click", () => hands.all());
  }

  /** @param {import("../core/types.js").Fleet} fleet @param {boolean} live @param {number} now */
  update(fleet, live, now) {
    const found = [];
    for (const host of fleet.hosts.values()) {
      const problems = problemsOf(host, now);
      if (problems.length) found.push({ host, problems });
    }
    found.sort((a, b) => Number(a.problems[0].tone === "warn") - Number(b.problems[0].tone === "warn"));
    this.#box.hidden = found.length === 0;
    setText(this.#title, `${plural(found.length, "host needs", "hosts need")} you`);
    const most = NARROW.matches ? SHOWN_NARROW : SHOWN;
    this.#more.hidden = found.length <= most;
    setText(this.#more, `Show all ${found.length}`);
    const shown = found.slice(0, most);
    for (const [hostId, { element }] of this.#cards) {
      if (shown.some(({ host }) => host.host_id === hostId)) continue;
      element.remove();
      this.#cards.delete(hostId);
    }
    let at = this.#list.firstElementChild;
    for (const { host, problems } of shown) {
      const element = this.#card(host, problems, live);
      if (element === at) at = at.nextElementSibling;
      else this.#list.insertBefore(element, at);
    }
  }

  /** The card as it was when nothing but times changed, so that what has the focus keeps it. @param {Host} host @param {Problem[]} problems @param {boolean} live */
  #card(host, problems, live) {
    const key = [live, host.pending_command, host.run_id, host.last_run?.run_id, ...problems.map((problem) => problem.kind)].join();
    const known = this.#cards.get(host.host_id);
    if (known?.key === key) {
      setText(/** @type {HTMLElement} */ (known.element.querySelector(".problem-text")), problems[0].text);
      return known.element;
    }
    const element = known?.element ?? make("li", "problem");
    const held = element.contains(document.activeElement) ? document.activeElement?.getAttribute("data-do") : null;
    element.dataset.tone = problems[0].tone;
    element.replaceChildren(this.#head(host), this.#body(problems), this.#foot(host, problems[0], live));
    if (held) /** @type {HTMLElement|null} */ (element.querySelector(`[data-do="${held}"]`) ?? element.querySelector("a"))?.focus();
    this.#cards.set(host.host_id, { key, element });
    return element;
  }

  /** @param {Host} host */
  #head(host) {
    const head = make("h3", "foreign mono");
    const link = make("a", "", host.host_id);
    link.setAttribute("href", hostPath(host.host_id));
    link.dataset.do = "open";
    head.append(link);
    return head;
  }

  /** @param {Problem[]} problems */
  #body(problems) {
    const body = make("div", "problem-body");
    const label = make("p", "problem-label tone");
    label.dataset.tone = problems[0].tone;
    label.append(shape(SHAPE[problems[0].tone]), make("span", "", problems[0].label));
    if (problems.length > 1) label.append(make("span", "problem-others", `and ${problems.length - 1} more`));
    label.title = problems.map((problem) => problem.label).join(", ");
    body.append(label, make("p", "problem-text", problems[0].text));
    return body;
  }

  /** @param {Host} host @param {Problem} problem @param {boolean} live */
  #foot(host, problem, live) {
    const foot = make("p", "problem-foot");
    const runId = host.last_run?.run_id;
    if (problem.kind === "slow" && host.run_id) {
      for (const [label, action] of SLOW) foot.append(this.#button(label, action, host, () => this.hands.slow(host.run_id ?? "", action)));
    }
    if (RUNS.has(problem.kind) && runId) {
      const link = make("a", "button", "Read its output");
      link.setAttribute("href", runPath(runId));
      link.setAttribute("aria-label", `Read its output: ${host.host_id}`);
      link.dataset.do = "log";
      foot.append(link);
    }
    for (const command of REMEDY[problem.kind] ?? []) {
      const why = whyNot(actionOf(command), host, live);
      if (why && !host.commands.includes(command)) continue; // an agent that never can is not offered it
      const button = this.#button(commandName(command), command, host, () => why || this.hands.act(host, command, button));
      if (why) button.setAttribute("aria-disabled", "true");
      button.title = why;
      foot.append(button);
    }
    return foot;
  }

  /** @param {string} label @param {string} what @param {Host} host @param {() => void} run */
  #button(label, what, host, run) {
    const button = make("button", "button", label);
    button.setAttribute("type", "button");
    button.setAttribute("aria-label", `${label}: ${host.host_id}, from its problem`);
    button.dataset.do = what;
    button.addEventListener("click", run);
    return button;
  }
}

const RUNS = new Set(["run", "unreachable", "slow"]);

/** @type {[string, "wait"|"stop"|"ignore"][]} */
const SLOW = [
  ["Wait 5 min", "wait"],
  ["Stop", "stop"],
  ["Ignore", "ignore"],
];

/** What helps as a rule. @type {Record<string, string[]>} */
const REMEDY = { run: ["rollback"], units: ["rollback"], incompatible: ["update"], repository: ["pull"] };
