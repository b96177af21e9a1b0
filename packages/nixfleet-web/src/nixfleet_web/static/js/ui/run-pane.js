/** The pane with a run's log: made when the first run is opened. */

import { byId } from "../view/dom.js";
import { later } from "./later.js";
import { RunFocus } from "./run-focus.js";

/** @typedef {import("../core/types.js").LogRecord} LogRecord */

export class RunPane {
  /** Of the run that is followed: the newest record that came. */
  heard = { runId: "", lines: 0 };
  /** Called when there is more. */
  onHeard = () => {};
  focus = new RunFocus();
  /** @type {(records: LogRecord[]) => void} */ #write = () => {};

  /**
   * @param {import("../app.js").App} app
   * @param {import("./later.js").Alpine} Alpine
   * @param {(parts: {dock: typeof import("./dock.js").dock, log: import("../view/log-view.js").LogView, pane: RunPane}) => () => object} make
   */
  constructor(app, Alpine, make) {
    const open = later(app, Alpine, byId("dock", HTMLElement), "The run's pane", async () => {
      const [{ dock }, { LogView }] = await Promise.all([import("./dock.js"), import("../view/log-view.js")]);
      const log = byId("log", LogView);
      this.#write = (records) => log.write(records); // one run is followed at a time, the one in the pane
      Alpine.data("dock", make({ dock, log, pane: this }));
    });
    app.router.listen(({ run }) => run && open());
  }

  /** @param {string} runId @param {LogRecord[]} records in order */
  write(runId, records) {
    this.#write(records);
    this.heard = { runId, lines: records[records.length - 1].seq };
    this.onHeard();
  }
}
