/** Terminal colours for a dark pane: the 16 named ones are classes (log.css), the rest becomes a readable rgb(). */

const STEPS = [0, 95, 135, 175, 215, 255];

/** @param {number} index 0–255 @returns {string} a class suffix "0".."15", or an rgb() */
export function indexed(index) {
  if (index < 16) return String(index);
  if (index >= 232) return rgb(...grey(8 + (index - 232) * 10));
  const cube = index - 16;
  return rgb(STEPS[Math.floor(cube / 36)], STEPS[Math.floor(cube / 6) % 6], STEPS[cube % 6]);
}

/** @param {number} red @param {number} green @param {number} blue each 0–255 */
export const rgb = (red, green, blue) => `rgb(${red} ${green} ${blue})`;

/**
 * A foreground that would vanish on the dark pane is lifted until it can be read.
 * @param {string} colour as made here
 * @returns {string}
 */
export function readable(colour) {
  const parts = /^rgb\((\d+) (\d+) (\d+)\)$/.exec(colour)?.slice(1).map(Number);
  if (!parts) return colour;
  const light = 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  if (light >= FLOOR) return colour;
  const share = (FLOOR - light) / (255 - light);
  const [red, green, blue] = parts.map((part) => Math.round(part + (255 - part) * share));
  return rgb(red, green, blue);
}

const FLOOR = 110; // about 4.5:1 on the pane's background

/** @param {number} level @returns {[number, number, number]} */
const grey = (level) => [level, level, level];
