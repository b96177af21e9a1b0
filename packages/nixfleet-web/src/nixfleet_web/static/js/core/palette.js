/**
 * Terminal colours for the log's dark pane. The sixteen named ones are classes (ansi.css has these same values, a test
 * holds the two together); the rest becomes rgb(). Whatever a program combines, the text can be read.
 */

/** @typedef {readonly [number, number, number]} Colour each 0–255 */

/** The pane and its text: --log-page and --log-text of tokens.css. @type {Colour} */
export const PANE = [15, 21, 28];
/** @type {Colour} */
export const TEXT = [211, 218, 227];

/** Foregrounds 0–15, backgrounds 0–7 (8–15 are the same). @type {Colour[]} */
export const FOREGROUND = [
  [141, 149, 163], [248, 113, 121], [103, 204, 130], [243, 187, 73], [112, 178, 251], [203, 150, 238], [92, 204, 214], [202, 208, 218],
  [146, 154, 168], [254, 139, 145], [125, 222, 151], [252, 212, 105], [142, 199, 255], [240, 170, 248], [121, 236, 229], [255, 255, 255],
];
export const BACKGROUND = /** @type {Colour[]} */ ([
  [54, 60, 69], [119, 34, 40], [31, 81, 52], [105, 74, 22], [31, 69, 122], [94, 49, 109], [25, 80, 87], [87, 95, 107],
]);

const STEPS = [0, 95, 135, 175, 215, 255];
export const CONTRAST_MIN = 4.5;

/** @param {number} index 0–255 @returns {string} a class suffix "0".."15", or an rgb() */
export function indexed(index) {
  if (index < 16) return String(index);
  const level = 8 + (index - 232) * 10;
  if (index >= 232) return rgb(level, level, level);
  const cube = index - 16;
  return rgb(STEPS[Math.floor(cube / 36)], STEPS[Math.floor(cube / 6) % 6], STEPS[cube % 6]);
}

/** @param {number} red @param {number} green @param {number} blue each 0–255 */
export const rgb = (red, green, blue) => `rgb(${red} ${green} ${blue})`;

/**
 * A style's colours as they are drawn. Null: as the pane has it; "0".."15": the class; else an rgb().
 * @param {import("./ansi.js").Style} style @returns {{fg: string|null, bg: string|null}}
 */
export function drawn(style) {
  let { fg = null, bg = null } = /** @type {{fg?: string|null, bg?: string|null}} */ (style);
  if (style.inverse) [fg, bg] = [bg ?? text(PANE), fg ?? text(TEXT)];
  const ground = bg === null ? PANE : dimmed(solid(bg, BACKGROUND), style.inverse === true);
  const wanted = fg === null ? TEXT : solid(fg, FOREGROUND);
  const ink = legible(style.dim ? mix(wanted, ground, 0.25) : wanted, ground);
  const same = !style.dim && !style.inverse && ink === wanted;
  return { fg: same ? fg : text(ink), bg: bg !== null && (style.inverse || bg.startsWith("rgb")) ? text(ground) : bg };
}

/** @param {Colour} a @param {Colour} b @returns {number} 1–21, as WCAG counts */
export function contrast(a, b) {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

/** @param {string} colour as `drawn` gives it @param {"fg"|"bg"} kind @returns {Colour} */
export const solidOf = (colour, kind) => solid(colour, kind === "fg" ? FOREGROUND : BACKGROUND);

/** @param {string} colour "0".."15" or rgb() @param {Colour[]} table @returns {Colour} */
function solid(colour, table) {
  if (!colour.startsWith("rgb")) return table[Number(colour) % table.length];
  const [red, green, blue] = (/\d+ \d+ \d+/.exec(colour)?.[0] ?? "0 0 0").split(" ").map(Number);
  return [red, green, blue];
}

/** A bright background glares on the dark pane. @param {Colour} colour @param {boolean} inverse @returns {Colour} */
const dimmed = (colour, inverse) => (inverse || luminance(colour) < 0.16 ? colour : mix(colour, PANE, 0.55));

/** As near to the wanted colour as can be read. @param {Colour} wanted @param {Colour} ground @returns {Colour} */
function legible(wanted, ground) {
  if (contrast(wanted, ground) >= CONTRAST_MIN) return wanted;
  /** @type {Colour} */
  const goal = luminance(ground) > 0.18 ? [0, 0, 0] : [255, 255, 255];
  for (let share = 0.1; share < 1; share += 0.1) {
    const tried = mix(wanted, goal, share);
    if (contrast(tried, ground) >= CONTRAST_MIN) return tried;
  }
  return goal;
}

/** @param {Colour} a @param {Colour} b @param {number} share of b @returns {Colour} */
function mix(a, b, share) {
  const part = (/** @type {0|1|2} */ at) => Math.round(a[at] + (b[at] - a[at]) * share);
  return [part(0), part(1), part(2)];
}

/** @param {Colour} colour */
function luminance(colour) {
  const [red, green, blue] = colour.map((value) => (value <= 10 ? value / 3294.6 : ((value / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** @param {Colour} colour */
const text = (colour) => rgb(colour[0], colour[1], colour[2]);
