/** Entry of the fleet page: makes the parts and ties them together. */

import "./shell/no-fence.js";
import Alpine from "/static/vendor/alpine-csp/module.esm.min.js";
import { App } from "./app.js";
import { ACTIONS, actionOf, whyNot } from "./core/actions.js";
import { announcement } from "./core/run-view.js";
import { Selection } from "./core/selection.js";
import { commandName } from "./core/words.js";
import { Api, Refused } from "./shell/api.js";
import { Connection } from "./shell/connection.js";
import { Keys } from "./shell/keys.js";
import { FLEET, Router, hostPath, settingsPath } from "./shell/route.js";
import { Tab } from "./shell/tab.js";
import { inTurn } from "./shell/turns.js";
import { Bulk, bulkDialog } from "./ui/bulk.js";
import { banner, confirm, toasts, topbar } from "./ui/chrome.js";
import { fleetPage } from "./ui/fleet-page.js";
import { Finder } from "./ui/finder.js";
import { fresh } from "./ui/fresh.js";
import { help } from "./ui/help.js";
import { fetchAhead, later, startParts } from "./ui/later.js";
import { Pages } from "./ui/pages.js";
import { RunPane } from "./ui/run-pane.js";
import { byId } from "./view/dom.js";
import { Formation } from "./view/formation.js";
import { HostList } from "./view/host-list.js";
import { startMenu } from "./view/menu.js";
import { ProblemCards } from "./view/problem-cards.js";

const api = new Api();
const router = new Router();
const app = new App(api, router);
const keys = new Keys();
const tab = new Tab();
const pages = new Pages(router, tab);
const finder = new Finder();
const frame = byId("frame", HTMLDivElement);
const outcome = byId("outcome", HTMLParagraphElement);
const selection = new Selection();
const bulk = new Bulk();
/** @type {import("./view/host-buttons.js").Hands} */
const hands = {
  act: (host, action, button) => void app.act(host, action, button),
  select: (hostId, range) => selection.toggle(hostId, range, hosts.order),
};
const hosts = new HostList(hands, selection);
const formation = new Formation((hostId) => router.go(hostPath(hostId)));
const problems = new ProblemCards({
  act: (host, command, button) => void app.act(host, actionOf(command), button),
  slow: (runId, action) => void app.decide(runId, action),
  all: () => app.narrow("need"),
});

/** @type {string|null} */
let openHost = null;
/** @type {Set<() => void>} */
const ticking = new Set();
const everySecond = (/** @type {() => void} */ listener) => void ticking.add(listener);

const connection = new Connection(
  {
    open: () => new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/browser`),
    later: (callback, delay) => setTimeout(callback, delay),
    cancel: (timer) => clearTimeout(timer),
    random: Math.random,
    now: Date.now,
    alive: (timeout) => api.alive(timeout),
  },
  {
    onMessages: (messages) => app.receive(messages),
    onRecords: (runId, records) => pane.write(runId, records),
    onStatus: (status) => app.setStatus(status),
  },
);

const pane = new RunPane(app, Alpine, (parts) =>
  parts.dock({ app, connection, ...parts, keys, everySecond, onHost: (hostId) => hosts.mark((openHost = hostId)) }),
);

const QUIET = 3000; // milliseconds with the server there until what is not needed yet is fetched

/** What shows the fleet; what lies above the hosts comes first, so that they don't move. */
const DRAW = [
  () => problems.update(app.fleet, app.live, app.now()),
  () => {
    hosts.update(app.fleet, app.live, app.now());
    hosts.mark(openHost);
  },
  () => formation.update(app.fleet),
  () => tab.show(app.fleet, app.status.state === "lost"),
];
app.onFleet((fleet, before) => {
  if (before.synced) for (const draw of DRAW) draw();
  else void inTurn(DRAW); // there is nothing yet of which a part could be older than another
  for (const run of fleet.runs.values()) {
    const known = before.runs.get(run.run_id);
    if (run.state === "ended" && known && known.state !== "ended") outcome.textContent = announcement(run);
  }
});
app.onStatus(() => {
  frame.dataset.connection = app.status.state;
  hosts.update(app.fleet, app.live, app.now());
  problems.update(app.fleet, app.live, app.now());
  tab.show(app.fleet, app.status.state === "lost");
  if (app.status.state === "lost" || !api.ready) void identify();
  if (app.live) setTimeout(() => void fetchAhead(() => app.live), QUIET);
});
selection.listen(() => hosts.update(app.fleet, app.live, app.now()));
everySecond(() => hosts.tick(app.now()));
everySecond(() => problems.update(app.fleet, app.live, app.now()));

/** Asks who we are: the API says what a refused socket doesn't, and hands out the CSRF token. */
async function identify() {
  try {
    await api.session();
  } catch (problem) {
    if (problem instanceof Refused && problem.status === 401) app.fail(problem); // else: the connection is retried
  }
}

document.querySelector("[data-skip]")?.addEventListener("click", (event) => {
  event.preventDefault(); // the address belongs to pages and runs
  byId("main", HTMLElement).focus();
});

const makeHost = later(app, Alpine, pages.section("host"), "The host's page", async () => {
  const [{ hostPage }, { hostSettings }] = await Promise.all([import("./ui/host-page.js"), import("./ui/host-settings.js")]);
  Alpine.data("hostPage", hostPage(app, pages, everySecond, hands));
  Alpine.data("hostSettings", hostSettings(app));
});
const makeSettings = later(app, Alpine, pages.section("settings"), "The settings", async () => {
  (await import("./ui/settings-parts.js")).makeSettings(Alpine, app, pages, keys);
});
const adding = byId("add", HTMLDialogElement);
const makeAdding = later(app, Alpine, adding, "The form that adds a host", async () => {
  Alpine.data("addHost", (await import("./ui/add-host.js")).addHost(app, adding));
});
pages.add("fleet", { heading: () => "Fleet" });
pages.add("host", { heading: ({ host }) => host ?? "", foreign: true, make: makeHost });
pages.add("settings", { heading: () => "Settings", make: makeSettings });
router.listen(({ over }) => over === "add" && makeAdding());
keys.on("find", () => finder.toggle());
keys.on("fleet", () => router.go(FLEET));
keys.on("settings", () => router.go(settingsPath()));
keys.on("add", () => router.go("#/add"));
keys.on("next", () => hosts.step(1));
keys.on("previous", () => hosts.step(-1));
keys.on("select", () => {
  if (!hosts.focused) return false;
  selection.toggle(hosts.focused, false, hosts.order);
});
for (const action of ACTIONS) {
  keys.on(action.command, () => {
    const host = app.fleet.hosts.get(hosts.focused ?? openHost ?? router.route.host ?? "");
    if (!host) return false;
    const why = whyNot(action, host, app.live);
    if (why) app.tell({ level: "warning", title: `${commandName(action.command)} is not possible now`, detail: why });
    else void app.act(host, action);
  });
}
finder.add(function* () {
  yield { title: "Fleet", detail: "g f", icon: "fleet", run: () => router.go(FLEET) };
  yield { title: "Add a host", detail: "n", icon: "add", run: () => router.go("#/add") };
  yield { title: "Settings", detail: "g s", icon: "settings", run: () => router.go(settingsPath()) };
  for (const host of app.fleet.hosts.values()) {
    yield { title: host.host_id, detail: "host", icon: "host", run: () => router.go(hostPath(host.host_id)) };
  }
  for (const host of app.fleet.hosts.values()) {
    for (const action of ACTIONS) {
      const why = whyNot(action, host, app.live);
      yield { title: `${host.host_id}: ${commandName(action.command)}`, icon: action.icon, why, quiet: true, run: () => void app.act(host, action) };
    }
  }
});

Alpine.data("topbar", topbar(app, finder));
Alpine.data("banner", banner(app, () => connection.connect(), everySecond));
Alpine.data("fresh", fresh(app));
Alpine.data("fleetPage", fleetPage(app, hosts, selection, bulk, keys));
Alpine.data("bulk", bulkDialog(app, bulk, () => selection.set([])));
Alpine.data("toasts", toasts(app));
Alpine.data("confirm", confirm(app, byId("confirm", HTMLDialogElement)));
Alpine.data("help", help(keys, byId("help", HTMLDialogElement)));

connection.connect();
void identify();
keys.start();
startMenu();
setTimeout(() => {
  const parts = startParts(Alpine);
  router.start(); // what it opens may have to be fetched
  void inTurn(parts);
});
setInterval(() => ticking.forEach((listener) => listener()), 1000);
setInterval(() => void connection.check(), 15_000);
addEventListener("online", () => void connection.check());
document.addEventListener("visibilitychange", () => document.hidden || void connection.check());
