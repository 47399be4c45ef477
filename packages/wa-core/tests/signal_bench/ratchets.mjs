// Baileys' libsignal and its sender keys, one step at a time: records in, changed records out.
//
// Nothing is kept between two lines. A line has its own time (`now`), so that the records which two
// implementations make of the same message can be compared.

import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

const [library] = process.argv.slice(2)
const libsignal = createRequire(pathToFileURL(library))('libsignal')
const folder = join(dirname(library), 'Signal', 'Group')
const groups = await import(pathToFileURL(join(folder, 'index.js')))

// libsignal tells the console about sessions, keys included, and standard output is for answers.
for (const name of ['log', 'info', 'warn', 'error']) console[name] = () => {}

const bytes = text => Buffer.from(text, 'base64')
const pair = ({ private: priv, public: pub }) => ({
  privKey: bytes(priv),
  pubKey: Buffer.concat([Buffer.from([5]), bytes(pub)])
})
const ADDRESS = new libsignal.ProtocolAddress('peer', 0)

// What a cipher asks for, out of one line, and what is left when it is done.
function storage({ record, identity, preKeys = {} }) {
  const { SessionRecord } = libsignal
  const store = { record, used: null }
  return Object.assign(store, {
    loadSession: () => store.record && SessionRecord.deserialize(store.record),
    storeSession: (_, session) => { store.record = session.serialize() },
    isTrustedIdentity: () => true,
    loadPreKey: id => preKeys[id] && pair(preKeys[id]),
    removePreKey: id => { store.used = id },
    loadSignedPreKey: () => pair(identity.signedPreKey),
    getOurRegistrationId: () => identity.registrationId,
    getOurIdentity: () => pair(identity.signedIdentityKey)
  })
}

const NAME = new groups.SenderKeyName('group', { id: 'peer', deviceId: 0 })

// As Baileys keeps them: a buffer of JSON.
function senderKeys({ record }) {
  const { SenderKeyRecord } = groups
  const store = { record }
  return Object.assign(store, {
    loadSenderKey: () =>
      store.record ? SenderKeyRecord.deserialize(bytes(store.record)) : new SenderKeyRecord(),
    storeSenderKey: (_, keys) => {
      store.record = Buffer.from(JSON.stringify(keys.serialize())).toString('base64')
    }
  })
}

const calls = {
  async begin(line) {
    const store = storage(line)
    const { registrationId, identityKey, signedPreKey, preKey } = line.bundle
    const key = ({ keyId, publicKey, signature }) => ({
      keyId,
      publicKey: bytes(publicKey),
      signature: signature && bytes(signature)
    })
    await new libsignal.SessionBuilder(store, ADDRESS).initOutgoing({
      registrationId,
      identityKey: bytes(identityKey),
      signedPreKey: key(signedPreKey),
      preKey: preKey && key(preKey)
    })
    return { record: store.record }
  },

  async encrypt(line) {
    const store = storage(line)
    const { type, body } = await new libsignal.SessionCipher(store, ADDRESS).encrypt(bytes(line.data))
    const data = Buffer.from(body).toString('base64')
    return { kind: type === 3 ? 'pkmsg' : 'msg', data, record: store.record }
  },

  async decrypt(line) {
    const store = storage(line)
    const cipher = new libsignal.SessionCipher(store, ADDRESS)
    const first = line.kind === 'pkmsg'
    const data = bytes(line.data)
    const plaintext = await (first
      ? cipher.decryptPreKeyWhisperMessage(data)
      : cipher.decryptWhisperMessage(data))
    return { data: plaintext.toString('base64'), record: store.record, used: store.used }
  },

  async distribute(line) {
    const store = senderKeys(line)
    const message = await new groups.GroupSessionBuilder(store).create(NAME)
    return { data: Buffer.from(message.serialize()).toString('base64'), record: store.record }
  },

  async receive(line) {
    const store = senderKeys(line)
    const { SenderKeyDistributionMessage: Distribution } = groups
    const message = new Distribution(null, null, null, null, bytes(line.data))
    await new groups.GroupSessionBuilder(store).process(NAME, message)
    return { record: store.record }
  },

  async publish(line) {
    const store = senderKeys(line)
    const data = await new groups.GroupCipher(store, NAME).encrypt(bytes(line.data))
    return { data: Buffer.from(data).toString('base64'), record: store.record }
  },

  async open(line) {
    const store = senderKeys(line)
    const plaintext = await new groups.GroupCipher(store, NAME).decrypt(bytes(line.data))
    return { data: plaintext.toString('base64'), record: store.record }
  }
}

for await (const text of createInterface({ input: process.stdin })) {
  const line = JSON.parse(text)
  Date.now = () => line.now
  let answer
  try {
    answer = await calls[line.call](line)
  } catch (error) {
    // A refusal is an answer, too: of a message that cannot be opened it is the right one.
    answer = { refused: `${error.name}: ${error.message}` }
  }
  process.stdout.write(JSON.stringify(answer) + '\n')
}
