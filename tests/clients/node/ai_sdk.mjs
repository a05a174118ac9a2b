// The AI SDK of Vercel with its providers openai (chat and responses), openai-compatible and anthropic.
import assert from 'node:assert/strict'
import { APICallError, Output, embedMany, generateObject, generateText, jsonSchema, stepCountIs, streamObject, streamText, tool } from 'ai'
import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { createAnthropic } from '@ai-sdk/anthropic'
import { z } from 'zod'
import { BASE, BOTH, COLLECTION, EMBEDDER, KEY, PARIS, QUESTION, SCRIPTED, SMALL, check, raises, run } from './checks.mjs'

globalThis.AI_SDK_LOG_WARNINGS = false
const openai = createOpenAI({ baseURL: BASE, apiKey: KEY })
const compatible = createOpenAICompatible({ name: 'mainspring', baseURL: BASE, apiKey: KEY, supportsStructuredOutputs: true })
const anthropic = createAnthropic({ baseURL: BASE, apiKey: KEY })
const PROVIDERS = {
  responses: (name) => openai.responses(name),
  chat: (name) => openai.chat(name),
  compatible: (name) => compatible.chatModel(name),
  messages: (name) => anthropic(name),
}
const get_weather = tool({
  description: 'The weather of a city',
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => `sunny in ${city}`,
})
const schema = z.object({ name: z.string(), count: z.number().int(), kind: z.enum(['talk', 'party']) })

for (const [name, model] of Object.entries(PROVIDERS)) {
  const scripted = { model: model(SCRIPTED), maxRetries: 0 }
  check(`${name}.generateText`, async () => {
    const answer = await generateText({ ...scripted, prompt: 'SAY Good morning.', system: 'Be brief.' })
    assert.equal(answer.text, 'Good morning.')
    assert.ok(answer.usage.outputTokens > 0)
  })
  check(`${name}.streamText`, async () => {
    let text = ''
    const stream = streamText({ ...scripted, prompt: 'SAY one two', onError: () => {} })
    for await (const part of stream.textStream) text += part
    assert.equal(text, 'one two')
    assert.equal(await stream.finishReason, 'stop')
  })
  check(`${name}.tools`, async () => {
    const answer = await generateText({ ...scripted, prompt: BOTH, tools: { get_weather }, stopWhen: stepCountIs(3) })
    assert.match(answer.text, /sunny in Paris.*sunny in Rome/)
    assert.equal(answer.steps.length, 2)
  })
  check(`${name}.tools_streamed`, async () => {
    const stream = streamText({ ...scripted, prompt: PARIS, tools: { get_weather }, stopWhen: stepCountIs(3), onError: () => {} })
    const kinds = new Set()
    for await (const part of stream.fullStream) kinds.add(part.type)
    assert.match(await stream.text, /sunny in Paris/)
    assert.ok(kinds.has('tool-result'))
  })
  check(`${name}.tool_required`, async () => {
    const answer = await generateText({ ...scripted, prompt: 'hello', tools: { get_weather }, toolChoice: 'required' })
    assert.equal(answer.toolCalls[0].toolName, 'get_weather')
  })
  check(`${name}.generateObject`, async () => {
    assert.equal((await generateObject({ ...scripted, schema, prompt: 'An event' })).object.kind, 'talk')
  })
  check(`${name}.generateObject_small_model`, async () => {
    const short = z.object({ city: z.string().max(20), count: z.number().int() })
    const made = await generateObject({ model: model(SMALL), maxRetries: 0, schema: short, prompt: 'Paris', maxOutputTokens: 100 })
    assert.ok('city' in made.object)
  })
  check(`${name}.streamObject`, async () => {
    const stream = streamObject({ ...scripted, schema, prompt: 'An event', onError: () => {} })
    for await (const _ of stream.partialObjectStream);
    assert.equal((await stream.object).kind, 'talk')
  })
  check(`${name}.output_object_with_tools`, async () => {
    const answer = await generateText({
      ...scripted, prompt: PARIS, tools: { get_weather }, output: Output.object({ schema }), stopWhen: stepCountIs(3),
    })
    assert.equal(answer.output.kind, 'talk')
  })
  check(`${name}.settings`, async () => {
    const settings = { temperature: 0.5, topP: 0.9, maxOutputTokens: 8, stopSequences: name === 'responses' ? undefined : ['zzz'] }
    assert.ok((await generateText({ model: model(SMALL), maxRetries: 0, prompt: 'hello', ...settings })).text)
  })
  check(`${name}.collection`, async () => {
    assert.match((await generateText({ model: model(COLLECTION), maxRetries: 0, prompt: QUESTION })).text, /9 months/)
  })
  check(`${name}.error`, async () => {
    const error = await raises(APICallError, () => generateText({ model: model('nothing'), maxRetries: 0, prompt: 'hello' }))
    assert.equal(error.statusCode, 404)
    assert.match(error.message, /nothing/)
  })
}
check('responses.options', async () => {
  const providerOptions = { openai: { store: false, reasoningEffort: 'low', metadata: { a: 'b' }, user: 'ada', parallelToolCalls: true } }
  assert.equal((await generateText({ model: openai.responses(SCRIPTED), maxRetries: 0, prompt: 'SAY yes', providerOptions })).text, 'yes')
})
check('responses.previous', async () => {
  const first = await generateText({ model: openai.responses(SCRIPTED), maxRetries: 0, prompt: 'My name is Ada.' })
  const previousResponseId = first.providerMetadata.openai.responseId
  const then = await generateText({
    model: openai.responses(SCRIPTED), maxRetries: 0, prompt: 'Who am I?', providerOptions: { openai: { previousResponseId } },
  })
  assert.match(then.text, /read 3 messages/)
})
check('chat.reasoning_model_name', async () => {
  const answer = await generateText({ model: openai.chat(SCRIPTED), maxRetries: 0, prompt: 'SAY yes', providerOptions: { openai: { reasoningEffort: 'low' } } })
  assert.equal(answer.text, 'yes')
})
check('messages.thinking', async () => {
  const providerOptions = { anthropic: { thinking: { type: 'enabled', budgetTokens: 1024 } } }
  assert.equal((await generateText({ model: anthropic(SCRIPTED), maxRetries: 0, prompt: 'SAY yes', providerOptions })).text, 'yes')
})
check('messages.cache_control', async () => {
  const providerOptions = { anthropic: { cacheControl: { type: 'ephemeral' } } }
  const messages = [{ role: 'user', content: [{ type: 'text', text: 'SAY yes', providerOptions }] }]
  assert.equal((await generateText({ model: anthropic(SCRIPTED), maxRetries: 0, messages })).text, 'yes')
})
check('openai.embedMany', async () => {
  const made = await embedMany({ model: openai.textEmbeddingModel(EMBEDDER), values: ['one', 'two'], maxRetries: 0 })
  assert.equal(made.embeddings[0].length, 384)
})
check('compatible.embedMany', async () => {
  const made = await embedMany({ model: compatible.textEmbeddingModel(EMBEDDER), values: ['one', 'two'], maxRetries: 0 })
  assert.equal(made.embeddings.length, 2)
})
check('compatible.json_schema', async () => {
  const made = await generateObject({
    model: compatible.chatModel(SCRIPTED), maxRetries: 0, prompt: 'One',
    schema: jsonSchema({ type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false }),
  })
  assert.ok(made.object.city)
})
await run('AI SDK', 'ai', '@ai-sdk/openai', '@ai-sdk/openai-compatible', '@ai-sdk/anthropic')
