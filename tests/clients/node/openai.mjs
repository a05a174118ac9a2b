// The official client of OpenAI for Node.
import assert from 'node:assert/strict'
import OpenAI, { toFile } from 'openai'
import { zodResponseFormat, zodTextFormat, zodFunction } from 'openai/helpers/zod'
import { z } from 'zod'
import { BASE, BOTH, COLLECTION, EMBEDDER, KEY, PARIS, QUESTION, SCRIPTED, SMALL, check, raises, refused, run } from './checks.mjs'

const client = new OpenAI({ baseURL: BASE, apiKey: KEY, maxRetries: 0 })
const parameters = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }
const WEATHER = { type: 'function', function: { name: 'get_weather', description: 'The weather of a city', parameters } }
const FLAT = { type: 'function', name: 'get_weather', strict: false, parameters }
const user = (content) => [{ role: 'user', content }]
const said = (text, more = {}) => client.chat.completions.create({ model: SCRIPTED, messages: user(text), ...more })

check('chat.create', async () => {
  const answer = await said('SAY Good morning.')
  assert.equal(answer.choices[0].message.content, 'Good morning.')
})
check('chat.request_id', async () => assert.ok((await said('hello'))._request_id))
check('chat.with_response', async () => {
  const { data, response, request_id } = await said('hello').withResponse()
  assert.ok(data.choices && response.ok && request_id)
})
check('chat.collection', async () => {
  assert.match((await said(QUESTION, { model: COLLECTION })).choices[0].message.content, /9 months/)
})
check('chat.stream', async () => {
  let text = ''
  for await (const chunk of await said('SAY one two', { stream: true })) text += chunk.choices[0]?.delta?.content ?? ''
  assert.equal(text, 'one two')
})
check('chat.stream_helper', async () => {
  const stream = client.chat.completions.stream({ model: SCRIPTED, messages: user('SAY one two') })
  assert.equal(await stream.finalContent(), 'one two')
})
check('chat.abort', async () => {
  const stream = await said('SAY ' + 'word '.repeat(500), { stream: true, max_tokens: 500 })
  for await (const _ of stream) break
  stream.controller.abort()
  assert.ok((await said('hello')).choices)
})
check('chat.hints', async () => {
  const hints = { metadata: { a: 'b' }, store: false, user: 'ada', verbosity: 'low', reasoning_effort: 'low' }
  assert.equal((await said('SAY yes', { ...hints, prompt_cache_key: 'k', service_tier: 'auto' })).choices[0].message.content, 'yes')
})
check('chat.small_model', async () => {
  assert.ok((await said('hello', { model: SMALL, max_tokens: 8, n: 2, temperature: 1, seed: 3 })).choices[1])
})
check('tools.parallel', async () => {
  const calls = (await said(BOTH, { tools: [WEATHER] })).choices[0].message.tool_calls
  assert.deepEqual(calls.map((call) => JSON.parse(call.function.arguments).city), ['Paris', 'Rome'])
})
check('tools.required_small_model', async () => {
  const answer = await said('Paris', { model: SMALL, tools: [WEATHER], tool_choice: 'required', max_tokens: 60 })
  assert.ok(JSON.parse(answer.choices[0].message.tool_calls[0].function.arguments).city !== undefined)
})
check('tools.stream_helper', async () => {
  const stream = client.chat.completions.stream({ model: SCRIPTED, messages: user(BOTH), tools: [WEATHER] })
  const final = await stream.finalChatCompletion()
  assert.equal(final.choices[0].message.tool_calls.length, 2)
})
check('tools.run_tools', async () => {
  const get_weather = ({ city }) => `sunny in ${city}`
  const runner = client.chat.completions.runTools({
    model: SCRIPTED,
    messages: user(PARIS),
    tools: [{ type: 'function', function: { function: get_weather, parse: JSON.parse, ...WEATHER.function } }],
  })
  assert.equal(await runner.finalContent(), 'The tools said: sunny in Paris')
})
check('tools.run_tools_streamed', async () => {
  const get_weather = ({ city }) => `sunny in ${city}`
  const runner = client.chat.completions.runTools({
    model: SCRIPTED,
    stream: true,
    messages: user(PARIS),
    tools: [{ type: 'function', function: { function: get_weather, parse: JSON.parse, ...WEATHER.function } }],
  })
  assert.equal(await runner.finalContent(), 'The tools said: sunny in Paris')
})
check('tools.zod_function', async () => {
  const tool = zodFunction({ name: 'get_weather', parameters: z.object({ city: z.string() }) })
  const answer = await client.chat.completions.parse({ model: SCRIPTED, messages: user(PARIS), tools: [tool] })
  assert.equal(answer.choices[0].message.tool_calls[0].function.parsed_arguments.city, 'Paris')
})
const Event = z.object({
  name: z.string(),
  kind: z.enum(['talk', 'party']),
  count: z.number().int(),
  steps: z.array(z.object({ output: z.string() })),
  note: z.string().nullable(),
})
check('structured.zod_parse', async () => {
  const answer = await client.chat.completions.parse({
    model: SCRIPTED, messages: user('An event'), response_format: zodResponseFormat(Event, 'event'),
  })
  assert.equal(answer.choices[0].message.parsed.kind, 'talk')
})
const ZOD = {
  email: z.email(), uuid: z.uuid(), url: z.url(), date: z.iso.date(), datetime: z.iso.datetime(), int: z.int(),
  positive: z.int().positive(), bounded: z.number().min(1).max(9), record: z.record(z.string(), z.number()),
  tuple: z.tuple([z.string(), z.number()]), literal: z.literal('yes'), union: z.union([z.string(), z.number()]),
  discriminated: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('a'), a: z.string() }), z.object({ kind: z.literal('b'), b: z.number() })]),
  nullable: z.string().nullable(), length: z.string().min(2).max(9), regex: z.string().regex(/^[a-z]+$/),
  array: z.array(z.string()).min(1).max(3), set_of_enums: z.array(z.enum(['a', 'b'])), boolean: z.boolean(),
  ipv4: z.ipv4(), described: z.string().describe('a name'), multiple: z.number().multipleOf(5),
}
for (const [name, type] of Object.entries(ZOD)) {
  check(`zod.${name}`, async () => {
    const schema = z.toJSONSchema(z.object({ value: type }))
    const response_format = { type: 'json_schema', json_schema: { name: 'made', schema, strict: true } }
    const text = (await said('One', { response_format })).choices[0].message.content
    assert.ok(JSON.parse(text).value !== undefined)
  })
}
check('embeddings.create', async () => {
  const answer = await client.embeddings.create({ model: EMBEDDER, input: ['one', 'two'] })
  assert.equal(answer.data[1].embedding.length, 384)
})
check('moderations.create', async () => {
  assert.ok((await client.moderations.create({ input: 'I will kill you' })).results[0].category_scores)
})
check('models.list', async () => {
  const names = []
  for await (const model of client.models.list()) names.push(model.id)
  assert.ok(names.includes(SMALL))
})
check('completions.create', async () => {
  assert.ok((await client.completions.create({ model: SMALL, prompt: 'Once upon', max_tokens: 4 })).choices[0].text)
})
check('files.lifecycle', async () => {
  const made = await client.files.create({ file: await toFile(Buffer.from('Green tea.'), 'tea.txt'), purpose: 'assistants' })
  assert.equal(await (await client.files.content(made.id)).text(), 'Green tea.')
  assert.ok((await client.files.delete(made.id)).deleted)
})
check('uploads.parts', async () => {
  const upload = await client.uploads.create({ bytes: 5, filename: 'a.txt', mime_type: 'text/plain', purpose: 'assistants' })
  const part = await client.uploads.parts.create(upload.id, { data: await toFile(Buffer.from('01234'), 'part') })
  assert.equal((await client.uploads.complete(upload.id, { part_ids: [part.id] })).status, 'completed')
})
check('vector_stores.search', async () => {
  const store = await client.vectorStores.create({ name: `node-${Date.now()}` })
  await client.vectorStores.files.uploadAndPoll(store.id, await toFile(Buffer.from('Green tea steeps for two minutes.'), 'tea.txt'))
  const found = await client.vectorStores.search(store.id, { query: 'green tea' })
  assert.match(found.data[0].content[0].text, /two minutes/)
})
check('vector_stores.file_batches', async () => {
  const store = await client.vectorStores.create({ name: `node-batch-${Date.now()}` })
  const files = [await toFile(Buffer.from('one'), 'one.txt'), await toFile(Buffer.from('two'), 'two.txt')]
  assert.equal((await client.vectorStores.fileBatches.uploadAndPoll(store.id, { files })).file_counts.completed, 2)
})
const responded = (input, more = {}) => client.responses.create({ model: SCRIPTED, input, ...more })
check('responses.create', async () => {
  const answer = await responded('SAY Good morning.')
  assert.equal(answer.output_text, 'Good morning.')
  assert.ok(Number.isInteger(answer.created_at))
})
check('responses.stream', async () => {
  const kinds = []
  for await (const event of await responded('SAY one two', { stream: true })) kinds.push(event.type)
  assert.equal(kinds.at(-1), 'response.completed')
})
check('responses.stream_helper', async () => {
  const stream = client.responses.stream({ model: SCRIPTED, input: 'SAY one two' })
  assert.equal((await stream.finalResponse()).output_text, 'one two')
})
check('responses.tools', async () => {
  const answer = await responded(BOTH, { tools: [FLAT] })
  assert.equal(answer.output.filter((item) => item.type === 'function_call').length, 2)
})
check('responses.previous', async () => {
  const first = await responded('My name is Ada.')
  assert.match((await responded('Who am I?', { previous_response_id: first.id })).output_text, /read 3 messages/)
})
check('responses.conversation', async () => {
  const conversation = await client.conversations.create()
  await responded('My name is Ada.', { conversation: conversation.id })
  assert.match((await responded('Who am I?', { conversation: conversation.id })).output_text, /read 3 messages/)
})
check('responses.zod_parse', async () => {
  const answer = await client.responses.parse({ model: SCRIPTED, input: 'One', text: { format: zodTextFormat(Event, 'event') } })
  assert.equal(answer.output_parsed.kind, 'talk')
})
check('errors.bad_request', async () => {
  const error = await raises(OpenAI.BadRequestError, () => said('hello', { temperature: 9 }))
  assert.equal(error.param, 'temperature')
  assert.ok(error.requestID)
})
check('errors.unknown_model', async () => {
  assert.equal((await raises(OpenAI.NotFoundError, () => said('hello', { model: 'nothing' }))).code, 'model_not_found')
})
check('errors.authentication', async () => {
  const other = new OpenAI({ baseURL: BASE, apiKey: 'ms-wrong', maxRetries: 0 })
  await raises(OpenAI.AuthenticationError, () => other.models.list())
})
check('errors.unknown_field', () => refused('temprature', OpenAI.BadRequestError, () => said('hello', { temprature: 1 })))
await run('openai (Node)', 'openai', 'zod')
