/** The fleet's page: its summary, filter and view, what needs somebody, and the selection's bar. */

import { ACTIONS, whyNot } from "../core/actions.js";
import { inGroup, SORTS } from "../core/arrange.js";
import { COLUMNS, choice, tracks } from "../core/columns.js";
import { commandName, presenceWord } from "../core/words.js";
import { recall, remember } from "../shell/preferences.js";
import { byId, iconUrl } from "../view/dom.js";
import { openMenu } from "../view/menu.js";

const NARROW = "(max-width: 900px)";

/** Groups in the order of the summary; `always`: also when nobody is in it. */
const GROUPS = [
  { id: "need", label: "need you", tone: "bad", shape: "triangle" },
  { id: "running", label: "at work", tone: "work", shape: "spin" },
  ...["online", "stale", "unreachable", "offline", "new"].map((id) => {
    const { label, tone, shape } = presenceWord(id);
    return { id, label: label.toLowerCase(), tone, shape };
  }),
  { id: "behind", label: "behind", tone: "warn", shape: "down" },
  { id: "reboot", label: "to reboot", tone: "warn", shape: "power" },
];

/**
 * @param {import("../app.js").App} app
 * @param {import("../view/host-list.js").HostList} list
 * @param {import("../core/selection.js").Selection} selection
 * @param {import("./bulk.js").Bulk} bulk
 * @param {import("../shell/keys.js").Keys} keys
 */
export const fleetPage = (app, list, selection, bulk, keys) => {
  const box = byId("hosts", HTMLDivElement);
  const narrow = matchMedia(NARROW);
  let chosen = choice(recall("view", ""));

  function lay() {
    // A table doesn't fit a small screen, whatever was chosen on a large one.
    box.dataset.layout = narrow.matches || chosen.layout === "cards" ? "cards" : "table";
    box.dataset.hide = chosen.hidden.join(" ");
    box.style.setProperty("--columns", tracks(chosen.hidden));
  }
  // Before the first host is drawn, which may be before the rest of this page is made.
  list.want({ sort: chosen.sort });
  lay();
  narrow.addEventListener("change", lay);

  return () => ({
    text: "",
    group: "",
    groups: /** @type {object[]} */ ([]),
    some: false,
    none: false,
    selected: 0,
    selectedText: "",
    everything: false,
    actions: ACTIONS.filter((action) => action.main).map(({ command }) => ({ command, label: commandName(command) })),

    init() {
      app.onFleet((fleet) => this.draw(fleet));
      if (app.fleet.synced) this.draw(app.fleet);
      selection.listen(() => this.drawSelection());
      byId("problems", HTMLElement).addEventListener("change", () => app.redraw());
      app.narrow = (group) => {
        this.group = "";
        this.pick(group);
        document.querySelector("#fleet-groups [aria-pressed=true]")?.scrollIntoView({ block: "start" });
      };
      keys.on("filter", () => {
        if (app.router.route.over || !byId("filter", HTMLInputElement).checkVisibility()) return false;
        byId("filter", HTMLInputElement).focus();
      });
    },

    /** @param {import("../core/types.js").Fleet} fleet */
    draw(fleet) {
      const now = app.now();
      const counted = GROUPS.map((group) => {
        let count = 0;
        for (const host of fleet.hosts.values()) if (inGroup(host, group.id, now)) count += 1;
        return { ...group, count };
      });
      const shown = counted
        .filter(({ id, count }) => count || id === this.group)
        .map(({ id, count, label, tone, shape }) => ({ id, text: `${count} ${label}`, tone, shape, icon: iconUrl(shape), on: String(id === this.group) }));
      if (JSON.stringify(shown) !== JSON.stringify(this.groups)) this.groups = shown;
      this.some = fleet.hosts.size > 0;
      this.none = this.some && Boolean(this.text || this.group) && list.order.length === 0;
      selection.keep((id) => fleet.hosts.has(id));
      this.drawSelection();
    },

    drawSelection() {
      const order = list.order;
      this.selected = selection.size;
      this.selectedText = selection.words(order);
      this.everything = order.length > 0 && order.every((id) => selection.has(id));
    },

    filter() {
      list.want({ text: this.text, group: this.group });
      app.redraw();
    },

    /** Escape empties the field before it does anything else. @param {Event} event */
    escape(event) {
      if (!this.text) return;
      event.stopPropagation();
      this.text = "";
      this.filter();
    },

    /** @param {string} id */
    pick(id) {
      this.group = this.group === id ? "" : id;
      this.filter();
    },

    showAll() {
      this.text = this.group = "";
      this.filter();
    },

    selectAll() {
      selection.set(this.everything ? [] : list.order);
    },

    unselect() {
      selection.set([]);
      byId("filter", HTMLInputElement).focus(); // the bar goes away with the button in it
    },

    /** @param {string} command */
    run(command) {
      bulk.ask(/** @type {import("../core/actions.js").Action} */ (ACTIONS.find((action) => action.command === command)), selection.inOrder(list.order));
    },

    /** @param {Event} event */
    more(event) {
      const ids = selection.inOrder(list.order);
      const hosts = ids.flatMap((id) => app.fleet.hosts.get(id) ?? []);
      openMenu(/** @type {HTMLElement} */ (event.currentTarget), `Actions of ${this.selectedText}`, ACTIONS.filter((action) => !action.main).map((action) => ({
        label: commandName(action.command),
        icon: action.icon,
        why: hosts.every((host) => whyNot(action, host, app.live)) ? "None of them can now" : "",
        run: () => bulk.ask(action, ids),
      })));
    },

    /** @param {Event} event */
    view(event) {
      /** @param {Partial<typeof chosen>} change */
      const set = (change) => {
        chosen = { ...chosen, ...change };
        remember("view", JSON.stringify(chosen));
        list.want({ sort: chosen.sort });
        lay();
        app.redraw();
      };
      const cards = box.dataset.layout === "cards";
      openMenu(/** @type {HTMLElement} */ (event.currentTarget), "View", [
        { heading: "Show as" },
        { label: "Table", checked: !cards, run: () => set({ layout: "table" }) },
        { label: "Cards", checked: cards, run: () => set({ layout: "cards" }) },
        { heading: "Sort by" },
        ...Object.entries(SORTS).map(([sort, { label }]) => ({ label, checked: chosen.sort === sort, run: () => set({ sort }) })),
        { heading: "Columns" },
        ...COLUMNS.map(({ id, label }) => ({
          label,
          checked: !chosen.hidden.includes(id),
          run: () => set({ hidden: chosen.hidden.includes(id) ? chosen.hidden.filter((one) => one !== id) : [...chosen.hidden, id] }),
        })),
      ]);
    },
  });
};
