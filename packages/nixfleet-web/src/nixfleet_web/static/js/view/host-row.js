/**
 * One host in the fleet. Its name stands there from the first; the rest is made when the row comes near the view, and
 * is kept current only while it is in it, so that a thousand hosts cost what the thirty on screen cost.
 */
import { commandName, presenceWord } from "../core/words.js";
import { hostPath } from "../shell/route.js";
import { make, setAttribute, setText, stamp } from "./dom.js";
import { HostButtons } from "./host-buttons.js";
import { drawActivity, drawFacts, drawSeen, Load } from "./host-cells.js";

/**
 * @typedef {import("../core/types.js").Host} Host
 * @typedef {import("./host-buttons.js").Hands} Hands
 * @typedef {{host: Host, live: boolean, selected: boolean}} Shown
 */

export class HostRow {
  /** @type {Shown|null} */ #wanted = null;
  /** @type {Shown|null} */ #drawn = null;
  /** @type {Record<string, HTMLElement>} */ #slots = {};
  /** @type {HostButtons|null} */ #buttons = null;
  /** @type {Load|null} */ #load = null;
  near = false; // the view, and drawn
  #now = 0;

  /** @param {string} hostId @param {Hands} hands */
  constructor(hostId, hands) {
    this.hostId = hostId;
    this.hands = hands;
    this.element = make("div", "host");
    this.element.setAttribute("role", "listitem");
    this.element.dataset.host = hostId;
    const heading = make("h2", "foreign mono");
    this.link = make("a", "", hostId);
    this.link.setAttribute("href", hostPath(hostId));
    heading.append(this.link);
    this.element.append(heading);
    this.element.addEventListener("pointerenter", () => {
      this.link.title = this.link.scrollWidth > this.link.clientWidth ? hostId : ""; // only a name that is cut needs it
    });
    this.element.addEventListener("click", (event) => this.#onClick(event));
  }

  /** @param {boolean} near the view, so it is drawn @param {boolean} [spare] what is far from it is taken away */
  show(near, spare = false) {
    this.near = near;
    if (near) this.#draw();
    else if (spare && this.#drawn && !this.#inUse) this.#unmake();
  }

  /** @param {Shown} wanted @param {number} now by the server's clock */
  update(wanted, now) {
    this.#wanted = wanted;
    this.#now = now;
    if (this.near) this.#draw();
  }

  /** What changes with time alone. @param {number} now by the server's clock */
  tick(now) {
    this.#now = now;
    if (!this.near || !this.#drawn) return;
    drawSeen(this.#slots, this.#drawn.host, now);
    drawActivity(this.#slots, this.#drawn.host, now);
  }

  /** @param {boolean} open its runs are shown below */
  mark(open) {
    setAttribute(this.element, "data-open", open ? "" : null);
  }

  /** What tells more when it is pointed at lies above the link that the whole row is, and hands it what is pressed. @param {MouseEvent} event */
  #onClick(event) {
    if (/** @type {Element} */ (event.target).closest(".host-facts")) this.link.dispatchEvent(new MouseEvent("click", event));
  }

  #draw() {
    const wanted = this.#wanted;
    const drawn = this.#drawn;
    if (!wanted) return;
    if (!drawn) this.#make();
    if (drawn?.host !== wanted.host || drawn.live !== wanted.live) this.#drawHost(wanted, drawn?.host ?? null);
    if (drawn?.selected !== wanted.selected) {
      /** @type {HTMLInputElement} */ (this.#slots.select).checked = wanted.selected;
      setAttribute(this.element, "data-selected", wanted.selected ? "" : null);
    }
    this.#drawn = wanted;
    this.tick(this.#now);
  }

  #make() {
    const { element, slots } = stamp("host-row");
    this.#slots = slots;
    const heading = /** @type {HTMLElement} */ (this.link.parentElement);
    const focused = document.activeElement === this.link;
    slots.title.insertBefore(heading, slots.criticality);
    this.element.replaceChildren(...element.childNodes);
    this.element.dataset.made = "";
    if (focused) this.link.focus({ preventScroll: true }); // moving it took the focus away
    this.#load = new Load(slots.load, this.hostId);
    this.#buttons = new HostButtons(slots, this.hostId, this.hands);
    slots.select.setAttribute("aria-label", `Select ${this.hostId}`);
    slots.select.addEventListener("click", (event) => this.hands.select(this.hostId, event.shiftKey));
  }

  /** The focus is here, or a menu is open that gives it back to here. */
  get #inUse() {
    return this.element.contains(document.activeElement) || this.element.querySelector('[aria-expanded="true"]') !== null;
  }

  /** Out of sight its name is enough: what the browser doesn't have it needn't lay out. */
  #unmake() {
    this.element.replaceChildren(/** @type {HTMLElement} */ (this.link.parentElement));
    delete this.element.dataset.made;
    this.#slots = {};
    this.#drawn = this.#load = this.#buttons = null;
  }

  /** @param {Shown} shown @param {Host|null} before */
  #drawHost({ host, live }, before) {
    const slots = this.#slots;
    const word = presenceWord(host.presence);
    if (before && host.connected && host.last_seen_at !== before.last_seen_at) this.#beat();
    setAttribute(this.element, "data-presence", host.presence);
    setAttribute(slots.id, "data-tone", word.tone);
    setAttribute(slots["shape-use"], "href", `#icon-${word.shape}`);
    setText(slots.presence, word.label);
    slots.criticality.hidden = host.criticality === "medium"; // only the exception is worth a tag
    setText(slots.criticality, host.criticality);
    slots.compatible.hidden = host.compatible;
    setText(slots.queued, host.queued ? `${host.queued} queued` : "");
    slots.queued.hidden = !host.queued;
    setAttribute(this.element, "aria-busy", host.pending_command ? "true" : null);
    setAttribute(slots.actions, "aria-label", `Actions of ${host.host_id}${host.pending_command ? `, ${commandName(host.pending_command)} is running` : ""}`);
    drawFacts(slots, host, this.#now);
    this.#load?.draw(host);
    this.#buttons?.draw(host, live);
  }

  #beat() {
    const { beat } = this.#slots;
    beat.dataset.beat = beat.dataset.beat === "a" ? "b" : "a"; // another name starts the animation again
  }
}
