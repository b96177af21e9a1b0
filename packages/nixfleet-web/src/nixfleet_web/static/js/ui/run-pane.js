/** The pane with a run's log: fetched when the first run is opened, so that who only looks at the fleet does without it. */

import { byId } from "../view/dom.js";

/** @typedef {import("../core/types.js").LogRecord} LogRecord */

export class RunPane {
  /** @type {Promise<void>|null} */ #coming = null;
  /** @type {(records: LogRecord[]) => void} */ write = () => {};

  /**
   * @param {import("../app.js").App} app
   * @param {typeof import("/static/vendor/alpine-csp/module.esm.min.js").default} Alpine
   * @param {(log: import("../view/log-view.js").LogView, dock: typeof import("./dock.js").dock) => () => object} make
   */
  constructor(app, Alpine, make) {
    app.router.listen(({ run }) => {
      if (!run || this.#coming) return;
      this.#coming = this.#fetch(Alpine, make).catch((problem) => {
        this.#coming = null; // with the next run it is tried again
        app.tell({ level: "error", title: "The run's pane could not be fetched", detail: String(problem) });
      });
    });
  }

  /** @param {typeof import("/static/vendor/alpine-csp/module.esm.min.js").default} Alpine @param {ConstructorParameters<typeof RunPane>[2]} make */
  async #fetch(Alpine, make) {
    const [{ dock }, { LogView }] = await Promise.all([import("./dock.js"), import("../view/log-view.js")]);
    const log = byId("log", LogView);
    const element = byId("dock", HTMLElement);
    this.write = (records) => log.write(records); // one run is followed at a time, the one in the pane
    Alpine.data("dock", make(log, dock));
    element.removeAttribute("x-ignore");
    delete (/** @type {any} */ (element)._x_ignore);
    Alpine.initTree(element);
  }
}
