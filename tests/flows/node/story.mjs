// One story through the openai package: what a JavaScript developer does first. Prints facts as JSON for the test.

import OpenAI, { AuthenticationError, AzureOpenAI, NotFoundError } from "openai";

const [address, apiKey] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${address}/openai/v1`, apiKey, maxRetries: 0 });
const azure = new AzureOpenAI({ endpoint: address, apiKey, apiVersion: "2024-10-21", maxRetries: 0 });
const model = "gpt-4o-mini";
const messages = [{ role: "user", content: "Name the capital of France." }];
const weather = {
  type: "function",
  function: {
    name: "get_weather",
    description: "Tell the weather in a city.",
    parameters: {
      type: "object",
      properties: { city: { type: "string" }, unit: { enum: ["celsius", "fahrenheit"] } },
      required: ["city", "unit"],
      additionalProperties: false,
    },
  },
};
const place = {
  type: "json_schema",
  json_schema: {
    name: "place",
    strict: true,
    schema: {
      type: "object",
      properties: { city: { type: "string" }, is_capital: { type: "boolean" } },
      required: ["city", "is_capital"],
      additionalProperties: false,
    },
  },
};

async function chat(from) {
  const answer = await from.chat.completions.create({ model, messages, max_tokens: 24, temperature: 0 });
  return { content: answer.choices[0].message.content, finish: answer.choices[0].finish_reason, usage: answer.usage };
}

async function stream(from) {
  const chunks = await from.chat.completions.create({
    model, messages, max_tokens: 24, temperature: 0, stream: true, stream_options: { include_usage: true },
  });
  const roles = [], finishes = [];
  let content = "", usage = null;
  for await (const chunk of chunks) {
    usage = chunk.usage ?? usage;
    for (const choice of chunk.choices) {
      content += choice.delta.content ?? "";
      if (choice.delta.role) roles.push(choice.delta.role);
      if (choice.finish_reason) finishes.push(choice.finish_reason);
    }
  }
  return { content, roles, finishes, usage };
}

async function streamHelper() {
  const runner = client.chat.completions.stream({ model, messages, max_tokens: 24, temperature: 0 });
  return { content: await runner.finalContent() };
}

async function forcedTool() {
  const asked = [{ role: "user", content: "How warm is it in Oslo?" }];
  const tool_choice = { type: "function", function: { name: "get_weather" } };
  const answer = await client.chat.completions.create({
    model, messages: asked, tools: [weather], tool_choice, max_tokens: 96, temperature: 0,
  });
  const [call] = answer.choices[0].message.tool_calls;
  const told = [...asked, answer.choices[0].message, { role: "tool", tool_call_id: call.id, content: "12 celsius" }];
  const final = await client.chat.completions.create({ model, messages: told, tools: [weather], max_tokens: 24 });
  return { call, finish: answer.choices[0].finish_reason, final: final.choices[0].message };
}

async function structured() {
  const completion = await client.chat.completions.parse({
    model, messages, response_format: place, max_tokens: 96, temperature: 0,
  });
  const message = completion.choices[0].message;
  return { content: message.content, parsed: JSON.parse(message.content) };
}

async function embeddings(from) {
  const input = ["A cat sat.", "Ein Hund lief."];
  const answer = await from.embeddings.create({ model: "text-embedding-3-small", input });
  const plain = await from.embeddings.create({ model: "text-embedding-3-small", input, encoding_format: "float" });
  const lengths = answer.data.map((item) => Math.hypot(...item.embedding));
  const furthest = Math.max(...answer.data[1].embedding.map((x, i) => Math.abs(x - plain.data[1].embedding[i])));
  return { dimensions: answer.data.map((item) => item.embedding.length), lengths, furthest, usage: answer.usage };
}

async function models() {
  const ids = [];
  for await (const each of client.models.list()) ids.push(each.id);
  return { ids, first: (await client.models.retrieve(ids[0])).id };
}

async function failure(attempt, expected) {
  try {
    await attempt();
  } catch (error) {
    return { isExpected: error instanceof expected, status: error.status, code: error.code, message: error.message };
  }
  return { isExpected: false, message: "nothing was thrown" };
}

const wrong = new OpenAI({ baseURL: `${address}/openai/v1`, apiKey: "sk-wrong", maxRetries: 0 });
const wrongAzure = new AzureOpenAI({ endpoint: address, apiKey: "wrong", apiVersion: "2024-10-21", maxRetries: 0 });

console.log(JSON.stringify({
  chat: await chat(client),
  stream: await stream(client),
  helper: await streamHelper(),
  tool: await forcedTool(),
  structured: await structured(),
  embeddings: await embeddings(client),
  models: await models(),
  azureChat: await chat(azure),
  azureStream: await stream(azure),
  azureEmbeddings: await embeddings(azure),
  wrongKey: await failure(() => wrong.models.list(), AuthenticationError),
  wrongAzureKey: await failure(() => chat(wrongAzure), AuthenticationError),
  unknownModel: await failure(() => client.models.retrieve("no-such-model"), NotFoundError),
}));
