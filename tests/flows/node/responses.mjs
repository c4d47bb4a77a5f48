// One story of the Responses API through the openai package: what its methods and helpers give, as facts for the test.

import OpenAI, { APIUserAbortError, BadRequestError, ConflictError, NotFoundError } from "openai";

const [address, apiKey] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${address}/openai/v1`, apiKey, maxRetries: 0 });
const usual = { model: "gpt-4o-mini", temperature: 0, max_output_tokens: 32 };
const sea = "Repeat after me: the sea is blue.";
const again = "Please repeat that once more.";
const weather = {
  type: "function",
  name: "get_weather",
  description: "Tell the weather in a city.",
  strict: true,
  parameters: {
    type: "object",
    properties: { city: { type: "string" }, unit: { enum: ["celsius", "fahrenheit"] } },
    required: ["city", "unit"],
    additionalProperties: false,
  },
};
const place = {
  type: "json_schema",
  name: "place",
  strict: true,
  schema: {
    type: "object",
    properties: { city: { enum: ["Paris", "Rome"] }, is_capital: { type: "boolean" } },
    required: ["city", "is_capital"],
    additionalProperties: false,
  },
};

async function all(pages) {
  const items = [];
  for await (const item of pages) items.push(item);
  return items;
}

async function failure(attempt, expected) {
  try {
    await attempt();
  } catch (error) {
    return { isExpected: error instanceof expected, status: error.status, param: error.param, message: error.message };
  }
  return { isExpected: false, message: "nothing was thrown" };
}

async function ended(id) {
  for (let left = 600; left > 0; left--) {
    const response = await client.responses.retrieve(id);
    if (!["queued", "in_progress"].includes(response.status)) return response;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`${id} does not end`);
}

async function created() {
  const response = await client.responses.create({ ...usual, input: sea, metadata: { topic: "sea" } });
  const stored = await client.responses.retrieve(response.id);
  return { response, text: response.output_text, stored, storedText: stored.output_text };
}

async function streamed() {
  const heard = [];
  const stream = client.responses
    .stream({ ...usual, input: sea })
    .on("response.output_text.delta", (event) => heard.push(event.snapshot));
  const events = await all(stream);
  const final = await stream.finalResponse();
  return {
    kinds: events.map((event) => event.type),
    numbers: events.map((event) => event.sequence_number),
    said: events.map((event) => (event.type === "response.output_text.delta" ? event.delta : "")).join(""),
    heard: heard.at(-1),
    text: final.output_text,
    stored: (await client.responses.retrieve(final.id)).output_text,
  };
}

async function abandoned() {
  const stream = client.responses.stream({ ...usual, max_output_tokens: 64, input: "Write a story about a ship." });
  let id;
  stream.on("response.created", (event) => {
    id = event.response.id;
    stream.abort();
  });
  const thrown = await failure(() => stream.finalResponse(), APIUserAbortError);
  return { thrown, status: (await ended(id)).status };
}

async function tool() {
  const spelled = [];
  const stream = client.responses
    .stream({
      ...usual, max_output_tokens: 96, input: "How warm is it in Oslo?", tools: [weather],
      tool_choice: { type: "function", name: "get_weather" },
    })
    .on("response.function_call_arguments.delta", (event) => spelled.push(event.delta));
  const asked = await stream.finalResponse();
  const call = asked.output.find((item) => item.type === "function_call");
  const output = { type: "function_call_output", call_id: call.call_id, output: "12 celsius" };
  const answer = await client.responses.create({
    ...usual, tools: [weather], tool_choice: "none", previous_response_id: asked.id, input: [output],
  });
  const { parsed_arguments: parsed, ...plain } = call;
  const resent = await client.responses.create({
    ...usual, tools: [weather], tool_choice: "none",
    input: [{ role: "user", content: "How warm is it in Oslo?" }, plain, output],
  });
  return { call, parsed, spelled: spelled.join(""), answer: answer.output, resent: resent.output };
}

async function structured() {
  const response = await client.responses.parse({
    ...usual, max_output_tokens: 64, input: "Name the capital of France.", text: { format: place },
  });
  return { text: response.output_text, format: response.text.format };
}

async function goesOn() {
  const first = await client.responses.create({ ...usual, input: sea });
  const second = await client.responses.create({ ...usual, input: again, previous_response_id: first.id });
  const items = await all(client.responses.inputItems.list(second.id, { order: "asc", limit: 2 }));
  return { first: first.id, previous: second.previous_response_id, text: second.output_text, items };
}

async function conversation() {
  const made = await client.conversations.create({ metadata: { topic: "sea" } });
  const talk = { ...usual, conversation: made.id };
  await client.responses.create({ ...talk, input: sea });
  const second = await client.responses.create({ ...talk, input: again });
  const items = await all(client.conversations.items.list(made.id, { order: "asc", limit: 3 }));
  const deleted = await client.conversations.delete(made.id);
  return {
    made, of: second.conversation, text: second.output_text, items, deleted,
    gone: await failure(() => client.conversations.retrieve(made.id), NotFoundError),
  };
}

async function background() {
  const begun = await client.responses.create({ ...usual, input: sea, background: true });
  const done = await ended(begun.id);
  return {
    begun: begun.status, done: done.status, text: done.output_text,
    tooLate: await failure(() => client.responses.cancel(begun.id), ConflictError),
  };
}

async function resumed() {
  const asked = { ...usual, input: sea, background: true, stream: true };
  let id;
  for await (const event of await client.responses.create(asked)) {
    id = event.response.id;
    break;
  }
  const stream = client.responses.stream({ response_id: id, starting_after: 2 });
  const events = await all(stream);
  return {
    numbers: events.map((event) => event.sequence_number),
    last: events.at(-1).type,
    text: (await stream.finalResponse()).output_text,
    stored: (await client.responses.retrieve(id)).output_text,
  };
}

async function cancelled() {
  const begun = await client.responses.create({
    ...usual, max_output_tokens: 1500, input: "Write a long story about a ship.", background: true,
  });
  const first = await client.responses.cancel(begun.id);
  const second = await client.responses.cancel(begun.id);
  const foreground = await client.responses.create({ ...usual, input: sea });
  return {
    statuses: [first.status, second.status, (await client.responses.retrieve(begun.id)).status],
    foreground: await failure(() => client.responses.cancel(foreground.id), BadRequestError),
  };
}

async function deleted() {
  const response = await client.responses.create({ ...usual, input: sea });
  await client.responses.delete(response.id);
  return {
    read: await failure(() => client.responses.retrieve(response.id), NotFoundError),
    items: await failure(() => all(client.responses.inputItems.list(response.id)), NotFoundError),
    again: await failure(() => client.responses.delete(response.id), NotFoundError),
    after: await failure(
      () => client.responses.create({ ...usual, input: again, previous_response_id: response.id }), BadRequestError,
    ),
  };
}

console.log(JSON.stringify({
  created: await created(),
  streamed: await streamed(),
  abandoned: await abandoned(),
  tool: await tool(),
  structured: await structured(),
  goesOn: await goesOn(),
  conversation: await conversation(),
  background: await background(),
  resumed: await resumed(),
  cancelled: await cancelled(),
  deleted: await deleted(),
  refused: await failure(() => client.responses.create({ ...usual, input: sea, temperature: 3 }), BadRequestError),
}));
