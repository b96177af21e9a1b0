/**
 * What needs somebody, worst first, above the list: a card a host, with what to do about it. Gone when nothing does. One
 * row of one height, so that what comes and goes moves nothing; on small screens a few below each other.
 */

import { actionOf, whyNot } from "../core/actions.js";
import { plural } from "../core/format.js";
import { problemsOf } from "../core/problems.js";
import { commandName } from "../core/words.js";
import { hostPath, runPath } from "../shell/route.js";
import { shape } from "./chip.js";
import { byId, make, setAttribute, setText } from "./dom.js";
import { Steady } from "./steady.js";

/** @typedef {import("../core/types.js").Host} Host @typedef {import("../core/problems.js").Problem} Problem */
/** @typedef {{host: Host, problems: Problem[]}} Needing */

/** Where the page is at least so wide → cards, and columns of them. @type {[MediaQueryList, number, number][]} */
const FIT = [
  [matchMedia("(min-width: 1341px)"), 5, 5],
  [matchMedia("(min-width: 1081px)"), 4, 4],
  [matchMedia("(min-width: 821px)"), 3, 3],
  [matchMedia("all"), 3, 1],
];
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
  #none = byId("problems-none", HTMLParagraphElement);
  #steady = new Steady(byId("problems-room", HTMLDivElement), byId("hosts", HTMLDivElement));
  /** @type {Map<string, {key: string, element: HTMLElement}>} */ #cards = new Map();
  /** @type {number|null} hosts that need somebody */ #count = null;
  #drawn = ""; // what the cards show, but for their texts

  /** @param {Hands} hands */
  constructor(hands) {
    this.hands = hands;
    this.#more.addEventListener("click", () => hands.all());
    for (const [fits] of FIT) fits.addEventListener("change", () => this.#changed());
  }

  /** @param {import("../core/types.js").Fleet} fleet @param {boolean} live @param {number} now */
  update(fleet, live, now) {
    const found = /** @type {Needing[]} */ ([]);
    for (const host of fleet.hosts.values()) {
      const problems = problemsOf(host, now);
      if (problems.length) found.push({ host, problems });
    }
    const pointed = this.#list.matches(":hover, :focus-within");
    const places = new Map([...this.#cards.keys()].map((hostId, at) => [hostId, at]));
    // Worst first; while one is about to press something here, what is new comes last.
    const place = (/** @type {Needing} */ { host, problems }) =>
      (pointed ? places.get(host.host_id) : undefined) ?? places.size + Number(problems[0].tone === "warn");
    found.sort((a, b) => place(a) - place(b));
    const [, most, columns] = /** @type {[MediaQueryList, number, number]} */ (FIT.find(([fits]) => fits.matches));
    const shown = found.slice(0, most);
    const drawn = [live, columns, found.length, ...shown.map(key)].join("\n");
    if (drawn !== this.#drawn) this.#steady.change(() => this.#draw(shown, found.length, columns, live));
    this.#drawn = drawn;
    for (const one of shown) this.#tell(one);
    this.#steady.settle();
    this.#none.hidden = found.length > 0 || !this.#steady.kept;
    // Some problems come with time alone: what else counts them hears of it from here.
    const before = this.#count;
    this.#count = found.length;
    if (before !== null && before !== found.length) this.#changed();
  }

  /** All is to be worked out anew. */
  #changed() {
    this.#box.dispatchEvent(new Event("change"));
  }

  /** @param {Needing[]} shown @param {number} count of all @param {number} columns @param {boolean} live */
  #draw(shown, count, columns, live) {
    const focused = /** @type {HTMLElement} */ (document.activeElement);
    const place = [...this.#cards.values()].findIndex(({ element }) => element.contains(focused));
    const holder = [...this.#cards.keys()][place];
    this.#box.hidden = count === 0;
    this.#list.style.setProperty("--fit", String(columns));
    setText(this.#title, `${plural(count, "host needs", "hosts need")} you`);
    this.#more.hidden = count <= shown.length;
    setText(this.#more, `Show all ${count}`);
    const before = this.#cards;
    this.#cards = new Map(shown.map((one) => [one.host.host_id, this.#card(one, before.get(one.host.host_id), live)]));
    for (const [hostId, { element }] of before) if (!this.#cards.has(hostId)) element.remove();
    let at = this.#list.firstElementChild;
    for (const { element } of this.#cards.values()) {
      if (element === at) at = at.nextElementSibling;
      else this.#list.insertBefore(element, at);
    }
    if (!holder || this.#list.contains(document.activeElement)) return;
    if (focused.isConnected) focused.focus({ preventScroll: true }); // a card that moved lost it on the way
    else this.#refocus(holder, place);
  }

  /** A card that goes leaves the focus to the next one; the last leaves it to its host's row. @param {string} holder @param {number} at */
  #refocus(holder, at) {
    const next = this.#list.children[at] ?? this.#list.lastElementChild;
    const row = document.querySelector(`[data-host="${CSS.escape(holder)}"]`);
    const target = (next ?? row)?.querySelector("a") ?? byId("page-title", HTMLHeadingElement);
    target.focus({ preventScroll: next !== null });
  }

  /** What changes with time: its text, and all of them in full for who points at it. @param {Needing} one */
  #tell({ host, problems }) {
    const element = this.#cards.get(host.host_id)?.element;
    if (!element) return;
    setText(/** @type {HTMLElement} */ (element.querySelector(".problem-text")), problems[0].text);
    setAttribute(element, "title", problems.map(({ label, text }) => `${label}: ${text}`).join("\n"));
  }

  /**
   * The card as it was when nothing but times changed, so that what has the focus keeps it.
   * @param {Needing} one @param {{key: string, element: HTMLElement}|undefined} known @param {boolean} live
   */
  #card(one, known, live) {
    const { host, problems } = one;
    const wanted = `${live},${key(one)}`;
    if (known?.key === wanted) return known;
    const element = known?.element ?? make("li", "problem");
    const held = element.contains(document.activeElement) ? document.activeElement?.getAttribute("data-do") : null;
    element.dataset.tone = problems[0].tone;
    element.dataset.kind = problems[0].kind;
    element.replaceChildren(this.#head(host), this.#body(problems), this.#foot(host, problems[0], live));
    if (held) /** @type {HTMLElement|null} */ (element.querySelector(`[data-do="${held}"]`) ?? element.querySelector("a"))?.focus();
    return { key: wanted, element };
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

/** What a card is made of, but for its text. @param {Needing} one */
const key = ({ host, problems }) =>
  [host.host_id, host.pending_command, host.run_id, host.last_run?.run_id, ...problems.map((problem) => problem.kind)].join();

const RUNS = new Set(["run", "unreachable", "slow"]);

/** @type {[string, "wait"|"stop"|"ignore"][]} */
const SLOW = [
  ["Wait 5 min", "wait"],
  ["Stop", "stop"],
  ["Ignore", "ignore"],
];

/** What helps as a rule. @type {Record<string, string[]>} */
const REMEDY = { run: ["rollback"], unreachable: ["stop"], units: ["rollback"], incompatible: ["update"], repository: ["pull"] };
