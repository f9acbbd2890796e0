import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll, beforeAll, describe, expect, it, onTestFinished} from 'vitest'
import type {Given} from '../../src/lib/runtime/given.ts'
import type {Values} from '../../src/lib/cli/flag.ts'
import type {influxFlags, kafkaFlags} from '../../src/lib/cli/flags.ts'
import {influxToken, influxTrust, kafkaSettings} from '../../src/lib/cli/connections.ts'
import {type Certificates, makeCertificates} from '../services/kafka-certificates.ts'

describe('a token in a file', () => {
  it('is read again each time, so that a rotated one takes effect', async () => {
    const file = fileWith('first\n')
    const token = await tokenIn(file)
    expect(await token()).toBe('first')
    writeFileSync(file, 'second')
    expect(await token()).toBe('second')
  })

  it('is the last that was there while the file is empty or missing', async () => {
    const file = fileWith('first')
    const token = await tokenIn(file)
    writeFileSync(file, 'second')
    await token()
    writeFileSync(file, '')
    expect(await token()).toBe('second')
    rmSync(file)
    expect(await token()).toBe('second')
    writeFileSync(file, 'third')
    expect(await token()).toBe('third')
  })

  it.each(['', ' \n'])('has to be there at the start: %j', async (text) => {
    await expect(tokenIn(fileWith(text))).rejects.toMatchObject({code: 'USAGE', exitCode: 2})
  })
})

describe('a PEM file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ucs-test-'))
  let pem: Certificates
  beforeAll(async () => {
    pem = await makeCertificates(folder)
  })
  afterAll(() => rmSync(folder, {recursive: true, force: true}))

  it('is taken as it is: a certificate, several of them, and a key', async () => {
    const bundle = fileWith([pem.ca, pem.clientCertificate].map((path) => readFileSync(path, 'utf8')).join('# another\n'))
    const {tls} = await settingsWith({'kafka-ca': bundle, 'kafka-cert': pem.clientCertificate, 'kafka-key': pem.clientKey})
    expect(tls).toEqual({
      ca: readFileSync(bundle, 'utf8'),
      cert: readFileSync(pem.clientCertificate, 'utf8'),
      key: readFileSync(pem.clientKey, 'utf8'),
    })
  })

  it.each<[what: string, flag: string, path: () => string]>([
    ['text', 'kafka-ca', () => fileWith('no certificate\n')],
    ['nothing', 'kafka-ca', () => fileWith('')],
    ['a key', 'kafka-ca', () => pem.clientKey],
    ['a certificate that is cut off', 'kafka-ca', () => fileWith(readFileSync(pem.ca, 'utf8').slice(0, 200))],
    ['a damaged certificate', 'kafka-ca', () => fileWith(readFileSync(pem.ca, 'utf8').replace('MII', 'AAA'))],
    [
      'a second one that is damaged',
      'kafka-ca',
      () => fileWith(readFileSync(pem.ca, 'utf8').replace(/^.*$/s, (one) => one + one.replace('MII', 'AAA'))),
    ],
    ['text', 'kafka-cert', () => fileWith('no certificate\n')],
  ])('with %s is refused with the name of its flag: --%s', async (_, flag, path) => {
    const files = {'kafka-cert': pem.clientCertificate, 'kafka-key': pem.clientKey, [flag]: path()}
    await expect(settingsWith(files)).rejects.toMatchObject({
      exitCode: 2,
      message: `--${flag}: expected a PEM certificate in ${files[flag as 'kafka-cert']}`,
    })
  })

  it('with anything but a key is refused for a key', async () => {
    const files = {'kafka-cert': pem.clientCertificate, 'kafka-key': pem.clientCertificate}
    await expect(settingsWith(files)).rejects.toMatchObject({
      exitCode: 2,
      message: `--kafka-key: expected a PEM key without a passphrase in ${pem.clientCertificate}`,
    })
  })

  it('is looked at for InfluxDB too', async () => {
    const values = {'influx-ca': fileWith('x'), 'influx-skip-verify': false} as unknown as Values<typeof influxFlags>
    await expect(influxTrust(values)).rejects.toThrow('--influx-ca: expected a PEM certificate')
  })

  const settingsWith = (files: object) =>
    kafkaSettings({broker: 'kafka', 'connect-timeout': 1, 'kafka-tls': false, ...files} as Values<typeof kafkaFlags>, new Map())
})

const tokenIn = (file: string) => {
  const given = new Map<string, Given>([['token-file', {texts: [file], origin: {kind: 'flag', name: '--token-file'}}]])
  return influxToken({'token-file': file} as Values<typeof influxFlags>, given)
}

function fileWith(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'ucs-test-'))
  onTestFinished(() => rmSync(folder, {recursive: true, force: true}))
  const file = join(folder, 'token')
  writeFileSync(file, text)
  return file
}
