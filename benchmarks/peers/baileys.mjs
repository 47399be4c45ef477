// Baileys' multi-file state, doing what it is told: one JSON line in, one JSON line out.
//
// The time is taken here, around the library's own calls: the pipe to Python is not in it. Values
// are Buffers, which the library writes as JSON with base64, one file per key, without syncing.

import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

const [library, folder] = process.argv.slice(2)
const { useMultiFileAuthState } = await import(pathToFileURL(library))
const { state, saveCreds } = await useMultiFileAuthState(folder)

// A key is "type/id"; the library wants {type: {id: value}}.
function grouped(pairs) {
  const data = {}
  for (const [key, size] of pairs) {
    const at = key.indexOf('/')
    const type = (data[key.slice(0, at)] ??= {})
    type[key.slice(at + 1)] = size === null ? null : Buffer.alloc(size, 7)
  }
  return data
}

// What the library leaves out: write files down, and then the folder's own entries.
async function sync(path) {
  const file = await open(path, 'r')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}

async function synced(data) {
  const names = Object.entries(data).flatMap(([type, ids]) =>
    Object.keys(ids).map(id => `${type}-${id}.json`.replaceAll('/', '__').replaceAll(':', '-'))
  )
  await Promise.all(names.map(name => sync(join(folder, name))))
  await sync(folder)
}

const work = {
  // Credentials: its own object, and as many bytes on top as make it the size that is asked for.
  async credentials({ times, size, safe }) {
    state.creds.padding = 'x'.repeat(Math.max(0, size - JSON.stringify(state.creds).length))
    const begun = performance.now()
    for (let i = 0; i < times; i++) {
      await saveCreds()
      if (safe) {
        await sync(join(folder, 'creds.json'))
        await sync(folder)
      }
    }
    return performance.now() - begun
  },
  async put({ batches, safe }) {
    const data = batches.map(grouped)
    const begun = performance.now()
    for (const each of data) {
      await state.keys.set(each)
      if (safe) await synced(each)
    }
    return performance.now() - begun
  },
  async get({ type, batches }) {
    const begun = performance.now()
    for (const ids of batches) await state.keys.get(type, ids)
    return performance.now() - begun
  },
}

for await (const line of createInterface({ input: process.stdin })) {
  const { call, ...rest } = JSON.parse(line)
  console.log(JSON.stringify({ seconds: (await work[call](rest)) / 1000 }))
}
