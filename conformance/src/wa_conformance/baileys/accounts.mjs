// Accounts of the real Baileys, in folders of its own: one JSON line in, one JSON line out.
//
// Everything in a folder is written by the library's own code through `useMultiFileAuthState`. What
// an account has written is remembered, so that another folder can be compared with it value by
// value, and every account can go on talking from wherever its state has been moved to.

import { deepStrictEqual } from 'node:assert'
import { randomBytes } from 'node:crypto'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

const [library] = process.argv.slice(2)
const baileys = await import(pathToFileURL(library))
const { BufferJSON, Curve, addTransactionCapability, encodeSyncdPatch, getNextPreKeys } = baileys
const { newLTHashState, proto, useMultiFileAuthState } = baileys
const { makeSignalRepository } = baileys.DEFAULT_CONNECTION_CONFIG

const quiet = () => {}
const logger = { level: 'silent', trace: quiet, debug: quiet, info: quiet, warn: quiet, error: quiet }
logger.child = () => logger
const COMMIT = { maxCommitRetries: 1, delayBetweenTriesMs: 1 }
const accounts = new Map()

// An id that the object has of itself would be lost in `{}`.
const bare = () => Object.create(null)

class Account {
  static async open({ folder, jid }) {
    const account = new Account()
    const { state, saveCreds } = await useMultiFileAuthState(folder)
    account.creds = state.creds
    account.saveCreds = saveCreds
    account.written = bare()
    account.store = { get: state.keys.get, set: data => account.set(state.keys, data) }
    account.keys = addTransactionCapability(account.store, logger, COMMIT)
    account.signal = makeSignalRepository({ creds: state.creds, keys: account.keys }, logger)
    account.jid = jid ?? state.creds.me?.lid
    return account
  }

  async set(keys, data) {
    await keys.set(data)
    for (const [type, values] of Object.entries(data)) {
      const ids = (this.written[type] ??= new Set())
      for (const [id, value] of Object.entries(values)) {
        value ? ids.add(id) : ids.delete(id)
      }
    }
  }

  ids() {
    return Object.fromEntries(Object.entries(this.written).map(([type, ids]) => [type, [...ids]]))
  }

  // Read back all that was written, as the library gives it to whoever asks.
  async read(keys) {
    const found = bare()
    for (const [type, ids] of Object.entries(this.ids())) {
      found[type] = await keys.get(type, ids)
    }
    return found
  }

  async snapshot() {
    const creds = JSON.stringify(this.creds, BufferJSON.replacer)
    return { creds, values: await this.read(this.store) }
  }

  update(changes) {
    Object.assign(this.creds, changes)
    return this.saveCreds()
  }
}

// What pairing by QR code leaves behind; the signatures are the account's own.
async function pair(account, { pn, lid, preKeys }) {
  const phone = Curve.generateKeyPair()
  const key = baileys.generateSignalPubKey(phone.public)
  const signed = proto.ADVSignedDeviceIdentity.fromObject({
    details: randomBytes(24),
    accountSignatureKey: phone.public,
    accountSignature: Curve.sign(phone.private, randomBytes(40)),
    deviceSignature: Curve.sign(account.creds.signedIdentityKey.private, randomBytes(40))
  })
  await account.update({
    me: { id: `${pn}:1@s.whatsapp.net`, lid: `${lid}:1@lid`, name: 'Ünï “quoted” \u{1f600}' },
    account: signed,
    signalIdentities: [baileys.createSignalIdentity(`${lid}:1@lid`, key)],
    platform: 'android',
    routingInfo: randomBytes(9),
    accountSyncCounter: 1
  })
  const { update } = await getNextPreKeys(account, preKeys)
  await account.update(update)
  await account.signal.lidMapping.storeLIDPNMappings([
    { lid: `${lid}@lid`, pn: `${pn}@s.whatsapp.net` }
  ])
  await account.keys.set({ 'device-list': { [pn]: ['0', '1'], [lid]: ['0', '1'] } })
  await appState(account)
}

// The keys of an account's app state, and one collection with a patch that these keys have made.
async function appState(account) {
  // Base64 with each of its oddities: padding, a slash, two slashes, one at either end.
  for (const id of ['AAAAAAAb', 'AP//AAA=', '/AAAAAA/', 'AAA+AA==', 'A/A/////']) {
    const key = proto.Message.AppStateSyncKeyData.fromObject({
      keyData: randomBytes(32),
      fingerprint: { rawId: 996302343, currentIndex: 1, deviceIndexes: [0, 1] },
      timestamp: Date.now()
    })
    await account.keys.set({ 'app-state-sync-key': { [id]: key } })
    account.creds.myAppStateKeyId = id
  }
  await account.saveCreds()
  const patch = {
    type: 'regular_high',
    index: ['mute', `${account.jid}`],
    syncAction: { muteAction: { muted: true }, timestamp: Date.now() },
    apiVersion: 2,
    operation: proto.SyncdMutation.SyncdOperation.SET
  }
  const find = async id => (await account.keys.get('app-state-sync-key', [id]))[id]
  const { myAppStateKeyId } = account.creds
  const { state } = await encodeSyncdPatch(patch, myAppStateKeyId, newLTHashState(), find)
  const versions = { regular_high: state, critical_unblock_low: newLTHashState() }
  await account.keys.set({ 'app-state-sync-version': versions })
}

// What a server answers when `from` asks for the keys of `to`.
async function bundle(to) {
  const { creds } = to
  const number = to.ids()['pre-key']?.[0]
  const pub = key => baileys.generateSignalPubKey(key)
  const { [number]: key } = number ? await to.keys.get('pre-key', [number]) : {}
  return {
    registrationId: creds.registrationId,
    identityKey: pub(creds.signedIdentityKey.public),
    signedPreKey: {
      keyId: creds.signedPreKey.keyId,
      publicKey: pub(creds.signedPreKey.keyPair.public),
      signature: creds.signedPreKey.signature
    },
    preKey: key && { keyId: Number(number), publicKey: pub(key.public) }
  }
}

const named = name => {
  const account = accounts.get(name)
  if (!account) throw new Error(`no account is called ${name}`)
  return account
}
const base64 = bytes => Buffer.from(bytes).toString('base64')
const bytes = text => Buffer.from(text, 'base64')
const text = found => Buffer.from(found).toString()

const calls = {
  // Open a folder as an account; what it holds already is not remembered as written.
  async open({ name, folder, jid }) {
    accounts.set(name, await Account.open({ folder, jid }))
    return {}
  },
  // Make a paired account in an empty folder.
  async make({ name, folder, pn, lid, preKeys = 812 }) {
    const account = await Account.open({ folder, jid: `${lid}:1@lid` })
    accounts.set(name, account)
    await pair(account, { pn, lid, preKeys })
    return { jid: account.jid }
  },
  // Store records: {type: {id: value}}, bytes as BufferJSON has them, null to delete.
  async put({ name, records }) {
    await named(name).keys.set(JSON.parse(JSON.stringify(records), BufferJSON.reviver))
    return {}
  },
  async meet({ from, to }) {
    const session = await bundle(named(to))
    await named(from).signal.injectE2ESession({ jid: named(to).jid, session })
    return {}
  },
  async send({ from, to, body }) {
    const sent = { jid: named(to).jid, data: Buffer.from(body) }
    const { type, ciphertext } = await named(from).signal.encryptMessage(sent)
    return { type, ciphertext: base64(ciphertext) }
  },
  async receive({ at, from, type, ciphertext }) {
    const message = { jid: named(from).jid, type, ciphertext: bytes(ciphertext) }
    return { body: text(await named(at).signal.decryptMessage(message)) }
  },
  async group_send({ from, group, body }) {
    const account = named(from)
    const sent = { group, meId: account.jid, data: Buffer.from(body) }
    const made = await account.signal.encryptGroupMessage(sent)
    const distribution = base64(made.senderKeyDistributionMessage)
    return { ciphertext: base64(made.ciphertext), distribution }
  },
  async group_learn({ at, from, group, distribution }) {
    const item = { groupId: group, axolotlSenderKeyDistributionMessage: bytes(distribution) }
    const authorJid = named(from).jid
    await named(at).signal.processSenderKeyDistributionMessage({ item, authorJid })
    return {}
  },
  async group_receive({ at, from, group, ciphertext }) {
    const message = { group, authorJid: named(from).jid, msg: bytes(ciphertext) }
    return { body: text(await named(at).signal.decryptGroupMessage(message)) }
  },
  // Tell what an account has written, as text: {type: {id: BufferJSON}}, and its credentials.
  async written({ name }) {
    const account = named(name)
    const records = bare()
    for (const [type, ids] of Object.entries(account.ids())) {
      const values = await account.store.get(type, ids)
      const spelled = ids.map(id => [id, JSON.stringify(values[id], BufferJSON.replacer)])
      records[type] = Object.fromEntries(spelled)
    }
    return { creds: JSON.stringify(account.creds, BufferJSON.replacer), records }
  },
  // Keep what an account reads now in memory: its folder may be moved away before `compare`.
  async remember({ name }) {
    named(name).remembered = await named(name).snapshot()
    return {}
  },
  // Compare what `name` remembers, or else reads now, with what Baileys reads in another folder.
  async compare({ name, folder }) {
    const account = named(name)
    const { creds, values } = account.remembered ?? (await account.snapshot())
    const other = await useMultiFileAuthState(folder)
    const found = await account.read(other.state.keys)
    const differing = []
    const judge = (what, one, two) => {
      try {
        deepStrictEqual(two, one)
      } catch {
        differing.push(what)
      }
    }
    // Read back, as the other side is: in memory it still has what no file can say (undefined).
    judge('creds', JSON.parse(creds, BufferJSON.reviver), other.state.creds)
    let compared = 1
    for (const [type, ids] of Object.entries(account.ids())) {
      for (const id of ids) {
        if (values[type]?.[id] == null) differing.push(`${type} ${id} of ${name} itself`)
        judge(`${type} ${id}`, values[type]?.[id], found[type][id])
        compared += 1
      }
    }
    return { compared, differing }
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const { call, ...what } = JSON.parse(line)
  let answer
  try {
    answer = await calls[call](what)
  } catch (error) {
    answer = { error: `${error.name}: ${error.message}` }
  }
  process.stdout.write(JSON.stringify(answer) + '\n')
}
process.exit(0)
