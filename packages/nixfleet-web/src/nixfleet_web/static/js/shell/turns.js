/** Work in pieces, so that no one of them keeps a slow phone from drawing and from answering a touch. */

/** Each in a task of its own, the first at once. @param {Iterable<() => void>} pieces */
export async function inTurn(pieces) {
  for (const piece of pieces) {
    piece();
    await new Promise((resolve) => setTimeout(resolve));
  }
}
