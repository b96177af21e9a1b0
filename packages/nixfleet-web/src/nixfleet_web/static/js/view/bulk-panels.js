/** Commands on many hosts, each as a line above the list, with those that failed or were left out. Newest first. */

import { hostPath, runPath } from "../shell/route.js";
import { shape } from "./chip.js";
import { byId, icon, make, setAttribute, setText } from "./dom.js";

/** @typedef {ReturnType<typeof import("../core/bulk-view.js").bulkView>} View @typedef {{stop: () => void, putAway: () => void}} Hands */

class Panel {
  element = make("section", "panel bulk tone");
  #mark = make("span");
  #first = make("strong");
  #rest = make("span", "bulk-rest");
  #stop = make("button", "button", "Stop");
  #away = make("button", "button plain square");
  #bar = make("div", "bulk-bar");
  #list = make("ul", "runs");
  #shape = "";
  #listed = "";

  /** @param {Hands} hands */
  constructor({ stop, putAway }) {
    this.element.tabIndex = -1;
    const head = make("div", "bulk-head");
    const title = make("h2");
    title.append(this.#first, this.#rest);
    for (const button of [this.#stop, this.#away]) button.setAttribute("type", "button");
    this.#stop.addEventListener("click", stop);
    this.#away.append(icon("close"));
    this.#away.addEventListener("click", putAway);
    this.#bar.setAttribute("aria-hidden", "true"); // the heading says it in numbers
    head.append(this.#mark, title, this.#stop, this.#away);
    this.element.append(head, this.#bar, this.#list);
  }

  /** @param {View} view */
  draw(view) {
    setAttribute(this.element, "aria-label", view.title);
    setAttribute(this.element, "data-tone", view.tone);
    setText(this.#first, view.first);
    setText(this.#rest, view.rest.replace(/(\d) /g, "$1\u00a0")); // a number stays with its word
    const held = document.activeElement === this.#stop;
    this.#stop.hidden = view.over;
    this.#away.hidden = !view.over;
    if (held && view.over) this.#away.focus({ preventScroll: true });
    setAttribute(this.#stop, "aria-label", `Stop: ${view.title}`);
    setAttribute(this.#away, "aria-label", `Put away: ${view.title}`);
    if (view.shape !== this.#shape) this.#mark.replaceChildren(shape((this.#shape = view.shape)));
    this.#drawBar(view.shares);
    this.#drawList(view.wrong);
  }

  /** @param {View["shares"]} shares */
  #drawBar(shares) {
    for (const [at, { tone, count }] of shares.entries()) {
      const part = /** @type {HTMLElement} */ (this.#bar.children[at] ?? this.#bar.appendChild(make("span", "tone")));
      part.dataset.tone = tone;
      part.style.flexGrow = String(count);
    }
  }

  /** Anew only when it changed, so that what has the focus keeps it. @param {View["wrong"]} wrong */
  #drawList(wrong) {
    const key = JSON.stringify(wrong);
    if (key === this.#listed) return;
    this.#listed = key;
    const held = this.#list.contains(document.activeElement) ? document.activeElement?.getAttribute("data-of") : null;
    this.#list.hidden = wrong.length === 0;
    this.#list.replaceChildren(...wrong.map(line));
    if (held) /** @type {HTMLElement|null} */ (this.#list.querySelector(`[data-of="${held}"]`))?.focus();
  }
}

/** @param {View["wrong"][number]} one */
function line({ name, run, word, tone, shape: sign, said }) {
  const item = make("li");
  const link = make("a", "tone");
  link.setAttribute("href", run ? runPath(run) : hostPath(name));
  link.dataset.tone = tone;
  link.dataset.of = name;
  const outcome = make("span", "outcome foreign", word);
  outcome.append(" ", make("span", "nothing", said));
  link.append(shape(sign), make("span", "command mono", name), " ", outcome);
  item.append(link);
  return item;
}

export class BulkPanels {
  #box = byId("bulks", HTMLElement);
  /** @type {Map<string, Panel>} */ #panels = new Map();

  /** @param {string} id @param {View} view @param {Hands} hands */
  draw(id, view, hands) {
    let panel = this.#panels.get(id);
    if (!panel) {
      panel = new Panel(hands);
      this.#panels.set(id, panel);
      this.#box.prepend(panel.element);
      this.#box.hidden = false;
    }
    panel.draw(view);
  }

  /** @param {string} id */
  remove(id) {
    this.#panels.get(id)?.element.remove();
    this.#panels.delete(id);
    this.#box.hidden = this.#panels.size === 0;
  }

  /** Takes the focus to one of them; false where it isn't shown. @param {string} id */
  focus(id) {
    const element = this.#panels.get(id)?.element;
    if (!element?.checkVisibility()) return false;
    element.focus(); // and into view
    return true;
  }
}
