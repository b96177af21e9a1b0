/** The columns of the table: which there are, how wide, and what is remembered of the choice. Pure. */

/** @type {{id: string, label: string, width: string}[]} beside the host's name and its actions, which are always there */
export const COLUMNS = [
  { id: "system", label: "System", width: "minmax(112px, 0.9fr)" },
  { id: "build", label: "Generation", width: "minmax(150px, 1.15fr)" },
  { id: "load", label: "Load", width: "236px" },
  { id: "activity", label: "Last run", width: "minmax(150px, 1.35fr)" },
];

/** @typedef {{layout: "auto"|"table"|"cards", sort: string, hidden: string[]}} Choice */

/** @type {Choice} */
export const DEFAULT = { layout: "auto", sort: "criticality", hidden: [] };

/** @param {string} text as `JSON.stringify` made it, maybe by another version of this page @returns {Choice} */
export function choice(text) {
  try {
    const { layout, sort, hidden } = JSON.parse(text);
    return {
      layout: layout === "table" || layout === "cards" ? layout : "auto",
      sort: typeof sort === "string" ? sort : DEFAULT.sort,
      hidden: Array.isArray(hidden) ? COLUMNS.map(({ id }) => id).filter((id) => hidden.includes(id)) : [],
    };
  } catch {
    return DEFAULT;
  }
}

/** Tracks of the grid between the host's name and its actions. @param {readonly string[]} hidden */
export const tracks = (hidden) =>
  ["minmax(176px, 1.25fr)", ...COLUMNS.filter(({ id }) => !hidden.includes(id)).map(({ width }) => width)].join(" ");
