// The official client of Anthropic for Node.
import assert from 'node:assert/strict'
import Anthropic from '@anthropic-ai/sdk'
import { betaZodTool } from '@anthropic-ai/sdk/helpers/beta/zod'
import { z } from 'zod'
import { BOTH, COLLECTION, KEY, PARIS, QUESTION, SCRIPTED, SMALL, URL, check, raises, refused, run } from './checks.mjs'

const client = new Anthropic({ baseURL: URL, apiKey: KEY, maxRetries: 0 })
const input_schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }
const WEATHER = { name: 'get_weather', description: 'The weather of a city', input_schema }
const user = (content) => [{ role: 'user', content }]
const said = (content, more = {}) => client.messages.create({ model: SCRIPTED, max_tokens: 100, messages: user(content), ...more })

check('messages.create', async () => {
  const answer = await said('SAY Good morning.')
  assert.equal(answer.content[0].text, 'Good morning.')
  assert.equal(answer.stop_reason, 'end_turn')
})
check('messages.request_id', async () => assert.ok((await said('hello'))._request_id))
check('messages.collection', async () => assert.ok((await said(QUESTION, { model: COLLECTION })).content[0].citations[0]))
check('messages.stream', async () => {
  const kinds = []
  for await (const event of await said('SAY one two', { stream: true })) kinds.push(event.type)
  assert.equal(kinds.at(-1), 'message_stop')
})
check('messages.stream_helper', async () => {
  const stream = client.messages.stream({ model: SCRIPTED, max_tokens: 100, messages: user('SAY one two') })
  assert.equal(await stream.finalText(), 'one two')
})
check('messages.tools_parallel', async () => {
  const used = (await said(BOTH, { tools: [WEATHER] })).content.filter((block) => block.type === 'tool_use')
  assert.deepEqual(used.map((block) => block.input.city), ['Paris', 'Rome'])
})
check('messages.tools_streamed', async () => {
  const stream = client.messages.stream({ model: SCRIPTED, max_tokens: 100, messages: user(BOTH), tools: [WEATHER] })
  const final = await stream.finalMessage()
  assert.deepEqual(final.content.filter((block) => block.type === 'tool_use').map((block) => block.input.city), ['Paris', 'Rome'])
})
check('messages.tool_choice_any_small_model', async () => {
  const answer = await said('Paris', { model: SMALL, tools: [WEATHER], tool_choice: { type: 'any' } })
  assert.ok(answer.content.some((block) => block.type === 'tool_use'))
})
check('messages.tool_runner', async () => {
  const tool = betaZodTool({
    name: 'get_weather', description: 'The weather', inputSchema: z.object({ city: z.string() }),
    run: ({ city }) => `sunny in ${city}`,
  })
  const final = await client.beta.messages.toolRunner({ model: SCRIPTED, max_tokens: 100, messages: user(PARIS), tools: [tool] })
  assert.equal(final.content[0].text, 'The tools said: sunny in Paris')
})
check('messages.large_max_tokens', async () => {
  const stream = client.messages.stream({ model: SCRIPTED, max_tokens: 32000, messages: user('SAY yes') })
  assert.equal(await stream.finalText(), 'yes')
})
check('messages.thinking_budget', async () => {
  const answer = await said('SAY yes', { max_tokens: 2000, thinking: { type: 'enabled', budget_tokens: 1024 } })
  assert.equal(answer.content.at(-1).text, 'yes')
})
check('messages.beta', async () => {
  const answer = await client.beta.messages.create({
    model: SCRIPTED, max_tokens: 100, messages: user('SAY yes'), betas: ['context-management-2025-06-27'],
    context_management: { edits: [{ type: 'clear_tool_uses_20250919' }] },
  })
  assert.equal(answer.content[0].text, 'yes')
})
check('messages.count_tokens', async () => {
  assert.ok((await client.messages.countTokens({ model: SMALL, messages: user('hello') })).input_tokens > 3)
})
check('messages.batches', async () => {
  const params = { model: SCRIPTED, max_tokens: 50, messages: user('SAY yes') }
  let batch = await client.messages.batches.create({ requests: [{ custom_id: 'one', params }] })
  for (let turn = 0; turn < 60 && batch.processing_status !== 'ended'; turn++) {
    await new Promise((done) => setTimeout(done, 500))
    batch = await client.messages.batches.retrieve(batch.id)
  }
  for await (const result of await client.messages.batches.results(batch.id)) {
    assert.equal(result.result.message.content[0].text, 'yes')
  }
})
check('anthropic.models', async () => {
  const models = []
  for await (const model of client.models.list()) models.push(model)
  assert.ok(models.find((model) => model.id === SMALL).display_name)
})
check('anthropic.errors_bad_request', async () => {
  const error = await raises(Anthropic.BadRequestError, () => said('hello', { temperature: 9 }))
  assert.equal(error.error.error.type, 'invalid_request_error')
  assert.ok(error.requestID)
})
check('anthropic.errors_unknown_model', () => raises(Anthropic.NotFoundError, () => said('hello', { model: 'nothing' })))
check('anthropic.errors_authentication', () =>
  raises(Anthropic.AuthenticationError, () =>
    new Anthropic({ baseURL: URL, apiKey: 'ms-wrong', maxRetries: 0 }).messages.create({
      model: SCRIPTED, max_tokens: 5, messages: user('hello') })))
check('messages.code_execution', async () => {
  const tools = [{ type: 'code_execution_20250522', name: 'code_execution' }]
  const asked = 'CALL code_interpreter {"code": "print(6 * 7)"}'
  const answer = await said(asked, { tools })
  assert.deepEqual(answer.content.map(block => block.type), ['server_tool_use', 'code_execution_tool_result', 'text'])
  const messages = [{ role: 'user', content: asked }]
  const whole = await client.messages.stream({ model: SCRIPTED, max_tokens: 100, messages, tools }).finalMessage()
  assert.deepEqual(whole.content[0].input, { code: 'print(6 * 7)' })
  assert.deepEqual(whole.content[1].content, answer.content[1].content)
})
check('messages.server_tools', () =>
  refused('web_search', Anthropic.BadRequestError, () =>
    said('hello', { tools: [{ type: 'web_search_20250305', name: 'web_search' }] })))
await run('Anthropic (Node)', '@anthropic-ai/sdk', 'zod')
