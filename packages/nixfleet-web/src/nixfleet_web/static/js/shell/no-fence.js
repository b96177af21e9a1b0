/**
 * Imported before Alpine, which reads every global once to know what an expression may not reach: reading `fence` makes
 * Chromium report that the page uses what is going away. Without it there is nothing to read.
 */
delete (/** @type {any} */ (globalThis)).fence;

export {};
