/** Ctrl+K: one field that finds a host, a page or an action, by keyboard alone. A combobox over a list. */

import { find } from "../core/finder.js";
import { byId, icon, make, setAttribute } from "../view/dom.js";

/** @typedef {import("../core/finder.js").Entry} Entry */

export class Finder {
  #dialog = byId("finder", HTMLDialogElement);
  #field = byId("finder-field", HTMLInputElement);
  #list = byId("finder-list", HTMLDivElement);
  /** @type {(() => Iterable<Entry>)[]} */ #sources = [];
  /** @type {Entry[]} */ #found = [];
  #at = 0;

  constructor() {
    this.#field.addEventListener("input", () => this.#search());
    this.#field.addEventListener("keydown", (event) => this.#onKey(event));
    this.#dialog.addEventListener("click", (event) => event.target === this.#dialog && this.#dialog.close());
  }

  /** What can be found; asked anew each time. @param {() => Iterable<Entry>} source */
  add(source) {
    this.#sources.push(source);
  }

  toggle() {
    if (this.#dialog.open) return this.#dialog.close();
    if (document.querySelector("dialog[open]")) return; // one question at a time
    this.#field.value = "";
    this.#search();
    this.#dialog.showModal();
  }

  *#entries() {
    for (const source of this.#sources) yield* source();
  }

  #search() {
    this.#found = find(this.#entries(), this.#field.value);
    this.#list.replaceChildren(...this.#found.map((entry, at) => this.#draw(entry, at)));
    if (!this.#found.length) this.#list.append(make("p", "", "Nothing has a name like that."));
    this.#list.scrollTop = 0;
    this.#mark(0);
  }

  /** @param {Entry} entry @param {number} at */
  #draw(entry, at) {
    const option = make("div");
    option.id = `finder-${at}`;
    option.setAttribute("role", "option");
    if (entry.why) option.setAttribute("aria-disabled", "true");
    option.append(icon(entry.icon), make("span", "title foreign", entry.title), make("span", "detail foreign", entry.why || entry.detail));
    option.addEventListener("click", () => this.#choose(at));
    return option;
  }

  /** @param {number} at */
  #mark(at) {
    this.#at = at;
    const option = this.#list.children[at];
    for (const each of this.#list.children) if (each.role === "option") setAttribute(each, "aria-selected", String(each === option));
    setAttribute(this.#field, "aria-activedescendant", this.#found.length ? `finder-${at}` : null);
    if (this.#found.length) option.scrollIntoView({ block: "nearest" });
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const count = this.#found.length;
    if (event.key === "Enter") this.#choose(this.#at);
    else if (event.key === "ArrowDown" && count) this.#mark((this.#at + 1) % count);
    else if (event.key === "ArrowUp" && count) this.#mark((this.#at - 1 + count) % count);
    else return;
    event.preventDefault();
  }

  /** @param {number} at */
  #choose(at) {
    const entry = this.#found[at];
    if (!entry || entry.why) return;
    this.#dialog.close();
    entry.run();
  }
}
