/** Load over a day. uPlot draws; it is fetched when the first chart is, so that the fleet's page does without it. */

import { clockMinute } from "../core/format.js";
import { make } from "./dom.js";

const HEIGHT = 168;

/**
 * @typedef {{label: string, tone: string, dash?: number[]}} Line told apart by its dashes, not by colour alone
 * @typedef {{at: number[], values: (number|null)[][]}} Data
 */

/** @type {Promise<any>|null} */
let loading = null;

/** @param {HTMLElement} box carries where the script and its style are @returns {Promise<any>} the uPlot class */
function uPlot(box) {
  loading ??= new Promise((resolve, reject) => {
    const style = document.createElement("link");
    style.rel = "stylesheet";
    style.href = box.dataset.style ?? "";
    const script = document.createElement("script");
    script.src = box.dataset.script ?? "";
    script.addEventListener("load", () => {
      const made = /** @type {any} */ (globalThis).uPlot;
      if (made) resolve(made);
      else reject(new Error("the charts do not run in this browser"));
    });
    script.addEventListener("error", () => {
      loading = null; // for the next try
      script.remove();
      reject(new Error("the charts could not be fetched"));
    });
    document.head.append(style, script);
  });
  return loading;
}

export class Chart {
  /** @type {any} */ #plot = null;
  /** @type {Data} */ #data = { at: [], values: [] };

  /** @param {HTMLElement} box @param {{lines: Line[], unit: string, max: number|null}} options */
  constructor(box, options) {
    this.box = box;
    this.options = options;
    new ResizeObserver(() => this.#plot?.setSize({ width: this.#width, height: HEIGHT })).observe(box);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => void this.#renew());
    new MutationObserver(() => void this.#renew()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  }

  /** @param {Data} data columns of one length, times in milliseconds */
  async draw(data) {
    this.#data = data;
    if (this.#plot) this.#plot.setData(this.#columns());
    else await this.#renew();
    this.box.setAttribute("aria-label", this.#words());
  }

  get #width() {
    return Math.max(200, Math.floor(this.box.clientWidth));
  }

  #columns() {
    return [this.#data.at.map((at) => at / 1000), ...this.#data.values];
  }

  async #renew() {
    if (!this.#data.at.length) return;
    const Plot = await uPlot(this.box);
    this.#plot?.destroy();
    const probe = make("span");
    this.box.append(probe);
    const colour = (/** @type {string} */ tone) => {
      probe.style.color = `var(--${tone})`;
      return getComputedStyle(probe).color;
    };
    const { lines, unit, max } = this.options;
    const axis = { stroke: colour("faint"), grid: { stroke: colour("line"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
    const series = lines.map(({ label, tone, dash }) => ({ label, stroke: colour(tone), width: 1.6, dash, points: { show: false }, value: (/** @type {any} */ _, /** @type {number|null} */ value) => (value === null ? "–" : `${value.toFixed(unit ? 0 : 1)}${unit}`) }));
    const hour = () => {
      const { at } = this.#data; // not what uPlot finds: of a single point, or before the first, that is no range
      const last = at[at.length - 1] / 1000;
      return [Math.min(at[0] / 1000, last - 3600), last];
    };
    const scales = { x: { range: hour }, y: { range: (/** @type {any} */ _, /** @type {number} */ __, /** @type {number} */ top) => [0, max ?? Math.max(1, top * 1.1)] } };
    const clock = (/** @type {number} */ at) => clockMinute(at * 1000);
    const time = { label: "At", value: (/** @type {any} */ _, /** @type {number|null} */ at) => (at === null ? "–" : clock(at)) };
    const day = { ...axis, size: 28, values: (/** @type {any} */ _, /** @type {number[]} */ at) => at.map(clock) };
    const lastUnlessPointed = (/** @type {any} */ plot) => plot.cursor.idx ?? plot.setLegend({ idx: this.#data.at.length - 1 });
    probe.remove();
    this.#plot = new Plot(
      { width: this.#width, height: HEIGHT, series: [time, ...series], scales, axes: [day, { ...axis, size: 36, values: (/** @type {any} */ _, /** @type {number[]} */ all) => all.map((one) => `${one}${unit}`) }], cursor: { drag: { x: false, y: false } }, hooks: { ready: [lastUnlessPointed], setData: [lastUnlessPointed], setCursor: [lastUnlessPointed] } },
      this.#columns(),
      this.box,
    );
  }

  /** The picture in a sentence. */
  #words() {
    const { lines, unit } = this.options;
    const said = lines.map(({ label }, index) => {
      const known = /** @type {number[]} */ (this.#data.values[index].filter((value) => value !== null));
      if (!known.length) return `${label} unknown`;
      const round = (/** @type {number} */ value) => `${value.toFixed(unit ? 0 : 1)}${unit}`;
      return `${label} ${round(known[known.length - 1])} now, ${round(Math.max(...known))} at most`;
    });
    return `The last 24 hours: ${said.join("; ")}`;
  }
}
