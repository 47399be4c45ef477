// Baileys' own credentials: made, read back, judged. One JSON line in, one out.
import { createInterface } from 'node:readline'
import { isDeepStrictEqual } from 'node:util'

const { BufferJSON, Curve, generateOrGetPreKeys, initAuthCreds, proto } = await import(process.argv[2])

const write = value => JSON.stringify(value, BufferJSON.replacer)
const read = text => JSON.parse(text, BufferJSON.reviver)

function linked() {
    const account = proto.ADVSignedDeviceIdentity.fromObject({
        details: Buffer.from('details'),
        accountSignatureKey: Buffer.alloc(32, 1),
        accountSignature: Buffer.alloc(64, 2),
        deviceSignature: Buffer.alloc(64, 3)
    })
    const identifier = { name: '100000000000001:1@lid', deviceId: 0 }
    return {
        ...initAuthCreds(),
        account,
        me: { id: '15550000001:1@s.whatsapp.net', lid: '100000000000001:1@lid', name: 'Ana' },
        signalIdentities: [{ identifier, identifierKey: Buffer.alloc(33, 5) }],
        platform: 'android',
        routingInfo: Buffer.from([8, 2]),
        lastAccountSyncTimestamp: 1795259391,
        myAppStateKeyId: 'AABSPmtu',
        nextPreKeyId: 813
    }
}

const calls = {
    fresh: () => ({ text: write(initAuthCreds()) }),
    linked: () => ({ text: write(linked()) }),
    same: ({ one, other }) => ({ same: isDeepStrictEqual(read(one), read(other)) }),
    judge: ({ text }) => {
        const creds = read(text)
        // Not the signature: this library accepts any.
        const { keyPair } = creds.signedPreKey
        const missing = Object.entries(initAuthCreds())
            .filter(([name, value]) => typeof value !== typeof creds[name])
            .map(([name]) => name)
        return {
            missing,
            agreed: Curve.sharedKey(keyPair.private, creds.noiseKey.public).equals(
                Curve.sharedKey(creds.noiseKey.private, keyPair.public)
            ),
            preKeys: Object.keys(generateOrGetPreKeys(creds, 3).newPreKeys),
            again: write(creds)
        }
    }
}

for await (const line of createInterface({ input: process.stdin })) {
    const { call, ...rest } = JSON.parse(line)
    try {
        console.log(JSON.stringify(calls[call](rest)))
    } catch (error) {
        console.log(JSON.stringify({ error: String(error.stack ?? error) }))
    }
}
