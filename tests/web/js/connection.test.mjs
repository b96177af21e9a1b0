import assert from "node:assert/strict";
import { test } from "node:test";
import { delay, FIRST_CEILING, LAST_CEILING } from "../../../packages/nixfleet-web/src/nixfleet_web/static/js/core/backoff.js";
import { Connection } from "../../../packages/nixfleet-web/src/nixfleet_web/static/js/shell/connection.js";

const RUN = "a".repeat(32);
const SNAPSHOT = { type: "snapshot", payload: { protocol: "1.0", server_version: "0.1.0", at: 0, hosts: [] } };

/** A server that holds one log and sends it from where it is asked, as far as it is told. */
class World {
  sockets = [];
  timers = [];
  seen = [];
  messages = [];
  statuses = [];
  clock = 0;
  lives = true;
  constructor() {
    const world = this;
    this.connection = new Connection(
      {
        open: () => world.#socket(),
        later: (callback, wait) => world.timers.push({ callback, wait }) && callback,
        cancel: () => {},
        random: () => 0.5,
        now: () => world.clock,
        alive: async () => world.lives,
      },
      {
        onMessages: (messages) => world.messages.push(...messages),
        onRecords: (_, records) => world.seen.push(...records.map((record) => record.seq)),
        onStatus: (status) => world.statuses.push(status.state),
      },
    );
    this.connection.connect();
  }
  #socket() {
    const socket = { readyState: 0, sent: [], closed: false, send: (text) => socket.sent.push(JSON.parse(text)), close: () => (socket.closed = true) };
    this.sockets.push(socket);
    return socket;
  }
  get socket() {
    return this.sockets.at(-1);
  }
  accept() {
    this.socket.readyState = 1;
    this.socket.onopen();
    this.deliver(SNAPSHOT);
  }
  deliver(...messages) {
    this.socket.onmessage({ data: JSON.stringify(messages.length === 1 ? messages[0] : messages) });
  }
  records(...seqs) {
    this.deliver(...seqs.map((seq) => ({ type: "command_output", payload: { host_id: "h", run_id: RUN, command: "test", seq, at: 1 } })));
  }
  cut() {
    this.socket.readyState = 3;
    this.socket.onclose();
  }
  retry() {
    this.timers.at(-1).callback();
    this.accept();
  }
  asked() {
    return this.socket.sent.filter((message) => message.type === "subscribe").map((message) => message.payload.from_seq ?? 1);
  }
}

test("a reconnect asks from the first record not seen and shows each once", () => {
  const world = new World();
  world.accept();
  world.connection.follow(RUN);
  world.records(1, 2, 3);
  world.cut();
  assert.equal(world.statuses.at(-1), "lost");
  world.retry();
  assert.deepEqual(world.asked(), [4]);
  world.records(3, 4, 5);
  assert.deepEqual(world.seen, [1, 2, 3, 4, 5]);
  assert.equal(world.statuses.at(-1), "live");
});

test("any pattern of cuts, repeats and gaps ends with every record once, in order", () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    let chance = seed;
    const random = (below) => (chance = (chance * 48271) % 2147483647) % below;
    const world = new World();
    world.accept();
    world.connection.follow(RUN);
    for (let steps = 0; world.seen.length < 50 && steps < 2000; steps += 1) {
      const at = world.asked().at(-1);
      const next = (world.seen.at(-1) ?? 0) + 1;
      const act = random(10);
      if (act === 0) {
        world.cut();
        world.retry();
      } else if (act === 1) world.records(Math.max(1, next - random(5)));
      else if (act === 2) world.records(next + 1 + random(5));
      else world.records(...Array.from({ length: 1 + random(4) }, (_, n) => Math.max(at, next) + n));
    }
    assert.deepEqual(world.seen, Array.from({ length: world.seen.length }, (_, n) => n + 1), `seed ${seed}`);
    assert.ok(world.seen.length >= 50, `seed ${seed} got stuck`);
  }
});

test("a gap is asked for once, not once for each record behind it", () => {
  const world = new World();
  world.accept();
  world.connection.follow(RUN);
  world.records(1, 4, 5, 6);
  assert.deepEqual(world.asked(), [1, 2]);
  world.records(2, 3, 4);
  assert.deepEqual(world.seen, [1, 2, 3, 4]);
});

test("a log that is complete is not asked for again", () => {
  const world = new World();
  world.accept();
  world.connection.follow(RUN);
  world.deliver({ type: "run_update", payload: { run_id: RUN, host_id: "h", command: "test", state: "ended", result: "ok", created_at: 1, lines: 2 } });
  world.records(1, 2);
  world.cut();
  world.retry();
  assert.deepEqual(world.asked(), []);
});

test("nothing more is heard of a run that is no longer followed", () => {
  const world = new World();
  world.accept();
  world.connection.follow(RUN);
  world.connection.unfollow(RUN);
  world.records(1, 2);
  assert.deepEqual(world.seen, []);
  assert.deepEqual(world.socket.sent.at(-1), { type: "unsubscribe", payload: { run_id: RUN } });
});

test("records of a frame come before its other messages", () => {
  const world = new World();
  const order = [];
  world.connection.listener = { onRecords: () => order.push("records"), onMessages: () => order.push("messages"), onStatus: () => {} };
  world.accept();
  world.connection.follow(RUN);
  order.length = 0;
  world.deliver(
    { type: "run_update", payload: { run_id: RUN, host_id: "h", command: "test", state: "ended", result: "ok", created_at: 1, lines: 1 } },
    { type: "command_output", payload: { host_id: "h", run_id: RUN, command: "test", seq: 1, at: 1 } },
  );
  assert.deepEqual(order, ["records", "messages"]);
});

test("silence is asked about; a server that does not answer is given up", async () => {
  const world = new World();
  world.accept();
  world.clock = 46_000;
  await world.connection.check();
  assert.equal(world.sockets.length, 1, "it answered");
  world.clock = 92_000;
  world.lives = false;
  await world.connection.check();
  assert.equal(world.sockets.length, 2);
  assert.equal(world.sockets[0].closed, true);
});

test("waiting grows to a ceiling, is never above it, and starts over after a connection that worked", () => {
  assert.equal(delay(0, () => 0.999) <= FIRST_CEILING, true);
  assert.equal(delay(500, () => 0.999) <= LAST_CEILING, true);
  assert.equal(delay(3, () => 0), 0);
  const world = new World();
  for (let n = 0; n < 4; n += 1) {
    world.cut();
    world.timers.at(-1).callback();
  }
  assert.deepEqual(world.timers.map((timer) => timer.wait), [500, 1000, 2000, 4000]);
  world.accept();
  world.cut();
  assert.equal(world.timers.at(-1).wait, 500);
});
