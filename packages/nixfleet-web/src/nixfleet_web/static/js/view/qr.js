/** The QR code of a second factor, drawn from the one path that core/access-view.js let through. */

import { byId } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";

/** @param {{size: number, path: string}|null} qr null: none, and nothing of the last one stays */
export function drawQr(qr) {
  const picture = byId("qr", SVGSVGElement);
  picture.toggleAttribute("hidden", qr === null);
  picture.replaceChildren();
  if (!qr) return;
  picture.setAttribute("viewBox", `0 0 ${qr.size} ${qr.size}`);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", qr.path);
  path.setAttribute("stroke", "black");
  path.setAttribute("stroke-width", "1");
  picture.append(path);
}
