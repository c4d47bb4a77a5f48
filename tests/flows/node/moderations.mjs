// What a JavaScript developer moderates; prints facts as JSON. Arguments: the server's address and a key.
import { BadRequestError, OpenAI } from "openai";

const [address, key] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${address}/v1`, apiKey: key, maxRetries: 0 });

async function failure(attempt) {
  try {
    await attempt();
  } catch (error) {
    return { isBadRequest: error instanceof BadRequestError, param: error.param };
  }
  return { message: "nothing was thrown" };
}

const input = ["Good morning, how are you?", "I will kill you, and then your whole family."];
const found = await client.moderations.create({ input });
const older = await client.moderations.create({ input: input[0], model: "text-moderation-latest" });
console.log(JSON.stringify({
  flagged: found.results.map((result) => result.flagged),
  greeting: found.results[0].category_scores,
  threat: found.results[1].category_scores,
  older: { model: older.model, categories: Object.keys(older.results[0].categories).length },
  refused: await failure(() => client.moderations.create({ input: "" })),
}));
