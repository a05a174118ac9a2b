// The checks of one client for Node: what scripts/checks.py is for Python. `run()` prints one JSON line a check.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'

export const URL = process.env.CLIENTS_URL ?? 'http://127.0.0.1:8000'
export const KEY = process.env.CLIENTS_KEY ?? ''
export const BASE = `${URL}/v1`
export const SCRIPTED = 'scripted'
export const SMALL = 'smollm2-135m-instruct'
export const EMBEDDER = 'all-minilm-l6-v2'
export const COLLECTION = 'handbook'
export const QUESTION = 'How often should I replace the screens of the Tarn press?'
export const PARIS = 'CALL get_weather {"city": "Paris"}'
export const BOTH = `${PARIS}\nCALL get_weather {"city": "Rome"}`

const checks = []

class Refused extends Error {}

export function check(name, action) {
  checks.push([name, action])
}

/** The error that `action` ends with, which must be a `kind`. */
export async function raises(kind, action) {
  try {
    await action()
  } catch (error) {
    assert.ok(error instanceof kind, `${error?.constructor?.name}: ${error?.message} is no ${kind.name}`)
    return error
  }
  throw new Error(`no ${kind.name} was raised`)
}

/** `action` must be refused with a `kind` whose message names what was refused. Ends the check. */
export async function refused(named, kind, action) {
  const error = await raises(kind, action)
  assert.ok(error.message.includes(named), `the refusal does not name ${named}: ${error.message}`)
  throw new Refused(error.message)
}

function version(name) {
  return JSON.parse(readFileSync(new globalThis.URL(`node_modules/${name}/package.json`, import.meta.url))).version
}

export async function run(client, ...packages) {
  const versions = Object.fromEntries(packages.map((name) => [name, version(name)]))
  console.log(JSON.stringify({ client, versions }))
  const wanted = process.argv.slice(2)
  for (const [call, action] of checks) {
    if (wanted.length && !wanted.some((start) => call.startsWith(start))) continue
    const begun = performance.now()
    let outcome = 'passed'
    let detail = ''
    try {
      await action()
    } catch (error) {
      outcome = error instanceof Refused ? 'refused' : 'failed'
      const own = (error?.stack ?? '').split('\n').find((each) => each.includes('.mjs:') && !/node_modules|checks\.mjs/.test(each))
      const line = own?.match(/\w+\.mjs:\d+/)?.[0]
      detail = `${error?.constructor?.name}: ${error?.message ?? error}`.slice(0, 600) + (line ? ` (${line})` : '')
    }
    const seconds = Math.round((performance.now() - begun) / 10) / 100
    console.log(JSON.stringify({ call, outcome, detail, seconds }))
  }
  process.exit(0)
}
