/** A host's load over the last 24 hours, as the server keeps it: shares in one chart, the load average in another. */

import { Refused } from "../shell/api.js";
import { Chart } from "./chart.js";
import { byId } from "./dom.js";

export class HostCharts {
  /** @type {Chart|null} */ #shares = null;
  /** @type {Chart|null} */ #load = null;

  /** @param {import("../shell/api.js").Api} api */
  constructor(api) {
    this.api = api;
  }

  /** @param {string} hostId @returns {Promise<string>} why nothing is drawn; empty when it is */
  async load(hostId) {
    try {
      const { at = [], cpu = [], ram = [], swap = [], load = [] } = await this.api.get(`/hosts/${encodeURIComponent(hostId)}/metrics`);
      const column = (/** @type {(number|null)[]} */ values) => at.map((/** @type {number} */ _, /** @type {number} */ index) => values[index] ?? null);
      if (![cpu, ram, swap, load].some((values) => values.some((/** @type {number|null} */ value) => typeof value === "number"))) return "No load has been recorded yet.";
      this.#shares ??= new Chart(byId("chart-shares", HTMLDivElement), {
        unit: "%",
        max: 100,
        lines: [
          { label: "CPU", tone: "accent" },
          { label: "Memory", tone: "ok", dash: [6, 3] },
          { label: "Swap", tone: "warn", dash: [2, 3] },
        ],
      });
      this.#load ??= new Chart(byId("chart-load", HTMLDivElement), { unit: "", max: null, lines: [{ label: "Load", tone: "accent" }] });
      await this.#shares.draw({ at, values: [column(cpu), column(ram), column(swap)] });
      await this.#load.draw({ at, values: [column(load)] });
      return "";
    } catch (problem) {
      if (problem instanceof Refused && problem.code === "too_old") return "This server keeps no history of the load yet; update it.";
      return `The history can't be shown: ${problem instanceof Error ? problem.message : problem}`;
    }
  }
}
