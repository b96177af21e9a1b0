/** The wire leaves out fields that hold their default; here they come back, so that no view has to know. */

import { WIRE } from "./wire.js";

/** @typedef {{defaults: Record<string, unknown>, parts: Record<string, string>}} Rule */

const RULES = /** @type {Record<string, Rule>} */ (/** @type {unknown} */ (WIRE));

/** @param {string} name of a message or part @param {any} raw as it came @returns {any} with every field */
function fill(name, raw) {
  const { defaults, parts } = RULES[name];
  const filled = { ...defaults, ...raw };
  for (const [field, part] of Object.entries(parts)) {
    const value = filled[field];
    if (Array.isArray(value)) filled[field] = value.map((one) => fill(part, one));
    else if (value !== null) filled[field] = fill(part, value);
  }
  return filled;
}

/** @param {any} raw @returns {import("./types.js").Progress} */
export const progress = (raw) => fill("ProgressState", raw);

/** @param {any} raw a RunView @returns {import("./types.js").Run} */
export const run = (raw) => fill("RunView", raw);

/** @param {any} raw a HostView @returns {import("./types.js").Host} */
export const host = (raw) => fill("HostView", raw);

/** @param {any} raw a CommandOutput or LogRecord @returns {import("./types.js").LogRecord} */
export const record = (raw) => fill("LogRecord", raw);
