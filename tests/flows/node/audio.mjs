// What a JavaScript developer does with sound; prints facts as JSON. Arguments: the server's address and a key.
import { AzureOpenAI, BadRequestError, OpenAI, toFile } from "openai";

const [address, key] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${address}/v1`, apiKey: key, maxRetries: 0 });
const azure = new AzureOpenAI({ endpoint: address, apiKey: key, apiVersion: "2024-10-21", maxRetries: 0 });
const input = "The museum opens at nine.";

async function speak() {
  const answer = await client.audio.speech.create({ model: "tts-1", voice: "alloy", input });
  return { type: answer.headers.get("content-type"), sound: Buffer.from(await answer.arrayBuffer()) };
}

async function transcribe(from, sound) {
  const file = await toFile(sound, "speech.mp3");
  return { text: (await from.audio.transcriptions.create({ model: "whisper-1", file })).text };
}

async function verbose(sound) {
  const answer = await client.audio.transcriptions.create({
    model: "whisper-1", file: await toFile(sound, "speech.mp3"), response_format: "verbose_json",
    timestamp_granularities: ["word", "segment"],
  });
  const { language, duration, segments, words } = answer;
  return { language, duration, segments: segments.length, words: words.map((one) => one.word) };
}

async function stream(sound) {
  const file = await toFile(sound, "speech.mp3");
  const events = await client.audio.transcriptions.create({ model: "whisper-1", file, stream: true });
  let said = "";
  let done;
  for await (const event of events) {
    if (event.type === "transcript.text.delta") said += event.delta;
    else done = event;
  }
  return { said, done };
}

async function failure(attempt) {
  try {
    await attempt();
  } catch (error) {
    return { isBadRequest: error instanceof BadRequestError, param: error.param, message: error.message };
  }
  return { message: "nothing was thrown" };
}

const { type, sound } = await speak();
console.log(JSON.stringify({
  spoken: { type, bytes: sound.length },
  heard: await transcribe(client, sound),
  azureHeard: await transcribe(azure, sound),
  verbose: await verbose(sound),
  stream: await stream(sound),
  noSound: await failure(() => transcribe(client, Buffer.from("no sound at all"))),
  noVoice: await failure(() => client.audio.speech.create({ model: "tts-1", voice: "nobody", input })),
}));
