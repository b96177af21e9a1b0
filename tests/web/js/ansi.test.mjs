import assert from "node:assert/strict";
import { test } from "node:test";
import { Ansi, CR } from "../../../packages/nixfleet-web/src/nixfleet_web/static/js/core/ansi.js";
import { CONTRAST_MIN, PANE, TEXT, contrast, drawn, solidOf } from "../../../packages/nixfleet-web/src/nixfleet_web/static/js/core/palette.js";

const shown = (...chunks) => {
  const ansi = new Ansi();
  return chunks.flatMap((chunk) => ansi.feed(chunk));
};
const text = (...chunks) => shown(...chunks).map((piece) => (piece === CR ? "<CR>" : piece.text)).join("");

test("text without escapes passes as it is", () => {
  assert.deepEqual(shown("building hello"), [{ text: "building hello", style: null }]);
});

test("colours and weights become styles and end where they are reset", () => {
  assert.deepEqual(shown("a\x1b[1;31mb\x1b[0mc"), [
    { text: "a", style: null },
    { text: "b", style: { bold: true, fg: "1" } },
    { text: "c", style: null },
  ]);
});

test("one thing can be reset and the rest stays", () => {
  assert.deepEqual(shown("\x1b[1;4;32mx\x1b[22my\x1b[39mz").map((piece) => piece.style), [
    { bold: true, underline: true, fg: "2" },
    { underline: true, fg: "2" },
    { underline: true },
  ]);
});

test("256 colours and true colours in both notations", () => {
  assert.equal(shown("\x1b[38;5;208mx")[0].style.fg, "rgb(255 135 0)");
  assert.equal(shown("\x1b[38;5;9mx")[0].style.fg, "9");
  assert.equal(shown("\x1b[38;2;200;100;250mx")[0].style.fg, "rgb(200 100 250)");
  assert.equal(shown("\x1b[38:2::200:100:250mx")[0].style.fg, "rgb(200 100 250)");
  assert.equal(shown("\x1b[48;2;0;0;0mx")[0].style.bg, "rgb(0 0 0)");
  assert.equal(shown("\x1b[38;5;999mx\x1b[38;2;1mx")[0].style, null);
});

test("a curly underline is an underline, not italics", () => {
  assert.deepEqual(shown("\x1b[4:3mx")[0].style, { underline: true });
});

test("every other sequence is swallowed whole", () => {
  const hostile = [
    "\x1b]0;owned\x07", "\x1b]52;c;ZXZpbA==\x1b\\", "\x1b]8;;http://evil.example\x1b\\", "\x1b[2J", "\x1b[10;10H", "\x1b[?1049h",
    "\x1bPq#0;2;0;0;0#0~~\x1b\\", "\x1b(B", "\x1bc", "\x1b7", "\x1b_apc\x1b\\", "\x1b^pm\x1b\\", "\x9b2J", "\x9d0;x\x9c", "\x1b[>4;1m",
  ];
  for (const sequence of hostile) assert.equal(text(`a${sequence}b`), "ab", JSON.stringify(sequence));
});

test("a sequence cut anywhere is still one", () => {
  const whole = "a\x1b[31mred\x1b[0m\x1b]8;;http://evil.example/<script>\x1b\\link\x1b]8;;\x07\x1b[38;5;208mx";
  for (let at = 1; at < whole.length; at += 1) {
    assert.equal(text(whole.slice(0, at), whole.slice(at)), "aredlinkx", `cut at ${at}`);
  }
  assert.equal(text(...whole), "aredlinkx", "one character at a time");
});

test("a long unfinished string is swallowed without being kept, and ends where it ends", () => {
  const ansi = new Ansi();
  assert.deepEqual(ansi.feed(`\x1bP${"x".repeat(100_000)}`), []);
  assert.deepEqual(ansi.feed("y".repeat(100_000)), []);
  assert.deepEqual(ansi.feed("\x1b\\z"), [{ text: "z", style: null }]);
});

test("a sequence left unfinished at the line's end does not swallow the next line", () => {
  const ansi = new Ansi();
  ansi.feed("\x1b[31m\x1b]0;never ended");
  ansi.endLine();
  assert.deepEqual(ansi.feed("next"), [{ text: "next", style: { fg: "1" } }]);
});

test("a broken sequence costs only itself", () => {
  assert.equal(text("\x1b[31日本"), "日本");
  assert.equal(text("\x1b]0;x\x1b[1mbold"), "bold");
});

test("control characters are visible or gone, bytes that are not UTF-8 are named", () => {
  assert.equal(text("a\x00b\x07c\x08d"), "a␀bcd");
  assert.equal(text("a\u{10ff80}\u{10ffff}b"), "a\\x80\\xFFb");
  assert.equal(text("a\tb"), "a\tb");
  assert.equal(text("a\rb"), "a<CR>b");
});

test("whatever arrives, in whatever pieces: no control character is left, styles hold nothing but what is known", () => {
  const bits = ["\x1b", "[", "]", "0", ";", "31", "m", "8", "http://evil", "\x07", "\\", "P", "\x9b", "\x9c", "K", "a", "<b>", "\r", "\n", "\u202e", "\u{10ff9b}", "?", "38", "2", ":", "\x00", "\x18"];
  let seed = 7;
  const next = (below) => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) % below;
  const known = new Set(["fg", "bg", "bold", "dim", "italic", "underline", "strike", "inverse"]);
  for (let round = 0; round < 3000; round += 1) {
    const some = Array.from({ length: next(24) }, () => bits[next(bits.length)]);
    const whole = some.join("");
    const cut = some.slice(0, next(some.length + 1)).join("").length;
    for (const pieces of [shown(whole), shown(whole.slice(0, cut), whole.slice(cut))]) {
      for (const piece of pieces) {
        if (piece === CR) continue;
        assert.doesNotMatch(piece.text, /[\x00-\x08\x0b-\x1f\x7f-\x9f]/, JSON.stringify(whole));
        for (const [name, value] of Object.entries(piece.style ?? {})) {
          assert.ok(known.has(name));
          assert.match(String(value), /^(?:true|\d{1,2}|rgb\(\d{1,3} \d{1,3} \d{1,3}\))$/);
        }
      }
    }
    assert.equal(text(whole), text(whole.slice(0, cut), whole.slice(cut)), JSON.stringify(whole));
  }
});

test("every pair of colours can be read on the pane: WCAG's 4.5 to 1", () => {
  const levels = [0, 51, 102, 153, 204, 255];
  const colours = [undefined, ...Array.from({ length: 16 }, (_, at) => String(at))];
  for (const red of levels) for (const green of levels) for (const blue of levels) colours.push(`rgb(${red} ${green} ${blue})`);
  for (const fg of colours) {
    for (const bg of colours) {
      for (const more of [{}, { dim: true }, { inverse: true }, { dim: true, inverse: true }]) {
        const seen = drawn({ fg, bg, ...more });
        const ink = seen.fg === null ? TEXT : solidOf(seen.fg, "fg");
        const ground = seen.bg === null ? PANE : solidOf(seen.bg, "bg");
        assert.ok(contrast(ink, ground) >= CONTRAST_MIN, JSON.stringify([fg, bg, more, seen]));
      }
    }
  }
});
