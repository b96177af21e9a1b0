/**
 * The fleet at one glance: a hexagon a host, in formation, in the colour of its state, lighting up with each heartbeat.
 * A picture beside the list, which says the same in words; pointing at a hexagon names the host, pressing opens it.
 */
import { need } from "../core/problems.js";
import { presenceWord } from "../core/words.js";
import { byId } from "./dom.js";

const TONES = ["ok", "warn", "bad", "work", "idle", "page"];
const FADE = 900; // milliseconds a heartbeat is seen
const PACE = 150; // milliseconds between two pictures at least: lit or not is all that changes
const BEATS_MAX = 200; // more hosts beat too often for the eye, and for the processor

/** Hosts up to → radius in pixels and rows. @type {[number, number, number][]} */
const SIZES = [
  [60, 8, 3],
  [240, 6, 4],
  [Infinity, 3.5, 6],
];

/** Tone and whether it is filled. @param {import("../core/types.js").Host} host @param {number} now by the server's clock */
export function look(host, now) {
  if (host.pending_command && host.presence !== "unreachable") return { tone: "work", filled: true };
  const wants = need(host, now);
  const there = host.presence === "online" || host.presence === "stale";
  return { tone: wants || presenceWord(host.presence).tone, filled: there };
}

export class Formation {
  #canvas = byId("formation", HTMLCanvasElement);
  #pen = /** @type {CanvasRenderingContext2D} */ (this.#canvas.getContext("2d"));
  /** @type {import("../core/types.js").Host[]} */ #hosts = [];
  /** @type {Map<string, number>} */ #beats = new Map();
  /** @type {Map<string, number|null>} */ #seen = new Map();
  /** @type {Record<string, string>} */ #colours = {};
  #clockOffset = 0;
  #drawing = false;
  #drawnAt = -PACE;
  #drawn = ""; // what the picture shows
  #calm = matchMedia("(prefers-reduced-motion: reduce)");

  /** @param {(hostId: string) => void} open */
  constructor(open) {
    this.#canvas.addEventListener("pointermove", (event) => (this.#canvas.title = this.#at(event)?.host_id ?? ""));
    this.#canvas.addEventListener("click", (event) => {
      const host = this.#at(event);
      if (host) open(host.host_id);
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#recolour());
    new MutationObserver(() => this.#recolour()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
    this.#recolour();
  }

  /** @param {import("../core/types.js").Fleet} fleet */
  update(fleet) {
    this.#hosts = [...fleet.hosts.values()];
    this.#clockOffset = fleet.clockOffset;
    const beating = this.#hosts.length <= BEATS_MAX && !this.#calm.matches;
    const now = performance.now();
    for (const host of beating ? this.#hosts : []) {
      if (host.connected && this.#seen.has(host.host_id) && this.#seen.get(host.host_id) !== host.last_seen_at) this.#beats.set(host.host_id, now);
      this.#seen.set(host.host_id, host.last_seen_at);
    }
    this.#schedule();
  }

  #recolour() {
    const style = getComputedStyle(this.#canvas);
    for (const tone of TONES) {
      this.#canvas.style.color = `var(--${tone})`;
      this.#colours[tone] = style.color;
    }
    this.#schedule();
  }

  get #shape() {
    const [, radius, rows] = /** @type {[number, number, number]} */ (SIZES.find(([most]) => this.#hosts.length <= most));
    const across = Math.sqrt(3) * radius + 2;
    return { radius, rows: Math.min(rows, Math.max(1, this.#hosts.length)), across, down: 1.5 * radius + 1.8 };
  }

  /** Column by column, so that the order of the list runs from left to right. @param {number} index */
  #place(index) {
    const { radius, rows, across, down } = this.#shape;
    const row = index % rows;
    return { x: radius + 1 + Math.floor(index / rows) * across + (row % 2 ? across / 2 : 0), y: radius + 1 + row * down };
  }

  /** @param {PointerEvent|MouseEvent} event */
  #at(event) {
    const { radius } = this.#shape;
    const index = this.#hosts.findIndex((_, at) => {
      const { x, y } = this.#place(at);
      return Math.hypot(x - event.offsetX, y - event.offsetY) <= radius;
    });
    return this.#hosts[index];
  }

  #schedule() {
    if (this.#drawing) return;
    this.#drawing = true;
    const draw = (/** @type {number} */ now) => {
      this.#drawing = false;
      this.#drawnAt = now;
      this.#draw(now);
      if (this.#beats.size) this.#schedule();
    };
    const wait = this.#drawnAt + PACE - performance.now();
    if (wait > 0) setTimeout(() => requestAnimationFrame(draw), wait);
    else requestAnimationFrame(draw);
  }

  /** @param {number} now */
  #draw(now) {
    for (const [hostId, at] of this.#beats) if (now - at >= FADE) this.#beats.delete(hostId);
    const there = Date.now() + this.#clockOffset; // the server's clock
    const looks = this.#hosts.map((host) => ({ ...look(host, there), lit: this.#beats.has(host.host_id) }));
    const picture = `${devicePixelRatio} ${this.#colours.ok} ${looks.map(({ tone, filled, lit }) => `${tone}${Number(filled)}${Number(lit)}`)}`;
    if (picture === this.#drawn) return;
    this.#drawn = picture;
    const { radius, rows, across, down } = this.#shape;
    const width = Math.ceil((Math.ceil(this.#hosts.length / rows) + 0.5) * across + 2);
    const height = Math.ceil(2 * radius + 2 + (rows - 1) * down);
    const scale = devicePixelRatio;
    if (this.#canvas.width !== width * scale || this.#canvas.height !== height * scale) {
      this.#canvas.width = width * scale;
      this.#canvas.height = height * scale;
      this.#canvas.style.width = `${width}px`;
      this.#canvas.style.height = `${height}px`;
    }
    this.#pen.setTransform(scale, 0, 0, scale, 0, 0);
    this.#pen.clearRect(0, 0, width, height);
    looks.forEach((one, index) => this.#drawOne(one, this.#place(index), radius));
  }

  /** @param {{tone: string, filled: boolean, lit: boolean}} look @param {{x: number, y: number}} at @param {number} radius */
  #drawOne({ tone, filled, lit }, at, radius) {
    const pen = this.#pen;
    pen.globalAlpha = filled ? (lit ? 1 : 0.78) : 0.9;
    pen.beginPath();
    const size = (filled ? radius : radius - 1) - (lit ? 0 : 0.8);
    for (let corner = 0; corner < 6; corner += 1) {
      const angle = Math.PI / 6 + (corner * Math.PI) / 3;
      pen.lineTo(at.x + size * Math.cos(angle), at.y + size * Math.sin(angle));
    }
    pen.closePath();
    pen.fillStyle = pen.strokeStyle = this.#colours[tone];
    pen.lineWidth = 1.4;
    if (filled) pen.fill();
    else pen.stroke();
  }
}
