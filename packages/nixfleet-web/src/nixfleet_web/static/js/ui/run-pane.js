/** The pane with a run's log: made when the first run is opened. */

import { byId } from "../view/dom.js";
import { later } from "./later.js";

/** @typedef {import("../core/types.js").LogRecord} LogRecord */

export class RunPane {
  /** @type {(records: LogRecord[]) => void} */ write = () => {};

  /**
   * @param {import("../app.js").App} app
   * @param {import("./later.js").Alpine} Alpine
   * @param {(log: import("../view/log-view.js").LogView, dock: typeof import("./dock.js").dock) => () => object} make
   */
  constructor(app, Alpine, make) {
    const open = later(app, Alpine, byId("dock", HTMLElement), "The run's pane", async () => {
      const [{ dock }, { LogView }] = await Promise.all([import("./dock.js"), import("../view/log-view.js")]);
      const log = byId("log", LogView);
      this.write = (records) => log.write(records); // one run is followed at a time, the one in the pane
      Alpine.data("dock", make(log, dock));
    });
    app.router.listen(({ run }) => run && open());
  }
}
