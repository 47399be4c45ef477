// A storage engine in Node, judged through stdio: wa-conformance "stdio:node docs/engine.js"
//
// It keeps sessions in memory and claims the level `core` of the engine contract. Keys are paths in
// a tree, so a cascade is one cut. The protocol is in docs/stdio.md. With --with-bug a delete also
// takes the neighbours whose name begins the same, and the suite must say so: C1.
"use strict";

const BUG = process.argv.includes("--with-bug");
const MAX_VALUE = 64 * 1024 * 1024;
const SEGMENT = /^(?!\.{1,2}$)[^\u0000-\u001f\u007f\p{Cs}]+$/u;
const sessions = new Map(); // name -> { root, last }
const engines = new Map(); // number -> session

const isKey = (key) => Buffer.byteLength(key) <= 512 && key.split("/").every((s) => SEGMENT.test(s));
const refuse = (error, facts) => { throw Object.assign(new Error(error), { error, facts }); };
const path = (key) => (isKey(key) ? key.split("/") : refuse("invalid-key"));
const bytes = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)); // not JavaScript's UTF-16 order
const isWhole = (n) => Number.isSafeInteger(n) && n >= 0;

function find(node, [name, ...rest]) {
  return name === undefined || node === undefined ? node : find(node.below.get(name), rest);
}

function cut(node, [name, ...rest]) {
  const child = node.below.get(name);
  if (rest.length && child) cut(child, rest);
  if (!rest.length || (child && child.value === undefined && !child.below.size)) node.below.delete(name);
  if (BUG && !rest.length) for (const n of [...node.below.keys()]) if (n.startsWith(name)) node.below.delete(n);
}

function* walk(node, key) {
  if (node.value !== undefined) yield [key, node.at];
  for (const [name, child] of node.below) yield* walk(child, key === "" ? name : `${key}/${name}`);
}

const ops = {
  hello: () => ({ protocol: 1, name: "docs/engine.js", claims: ["core"], durability: "volatile", shared: true, max_value: MAX_VALUE, ops: [] }),
  open({ session }) {
    if (!sessions.has(session)) sessions.set(session, { root: { below: new Map() }, last: 0 });
    engines.set(engines.size + 1, sessions.get(session));
    return { engine: engines.size };
  },
  close: () => ({}),
  get: ({ key }, { root }) => ({ value: find(root, path(key))?.value ?? null }),
  set({ key, value, at }, session) {
    const names = path(key), size = Buffer.byteLength(value, "base64");
    if (at !== null && !isWhole(at)) refuse("invalid-position");
    if (size > MAX_VALUE) refuse("value-too-large", { size, limit: MAX_VALUE });
    let node = session.root;
    for (const name of names) {
      if (!node.below.has(name)) node.below.set(name, { below: new Map() });
      node = node.below.get(name);
    }
    node.value = value;
    node.at = at ?? (session.last = Math.max(Date.now() * 1000, session.last + 1));
    return {};
  },
  delete: ({ key }, { root }) => (cut(root, path(key)), {}),
  list({ prefix, offset, limit }, { root }) {
    if (prefix !== "" && !isKey(prefix) && !isKey(`${prefix}x`)) refuse("invalid-key");
    if (!isWhole(offset) || (limit !== null && !isWhole(limit))) refuse("invalid-page");
    const found = [...walk(root, "")].filter(([key]) => key.startsWith(prefix));
    found.sort(([a, x], [b, y]) => y - x || bytes(a, b));
    return { keys: found.slice(offset, limit === null ? undefined : offset + limit).map(([key]) => key) };
  },
};

require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const asked = JSON.parse(line);
  let answer;
  try {
    answer = (ops[asked.op] ?? (() => refuse("unsupported")))(asked, engines.get(asked.engine));
  } catch (error) {
    answer = { error: error.error ?? "internal", message: error.message, ...error.facts };
  }
  process.stdout.write(`${JSON.stringify({ id: asked.id, ...answer })}\n`);
});
