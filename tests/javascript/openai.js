// OpenAI's own SDK as a client of the gateway. `to` is where: the options of a client; `asked` is the body.
import OpenAI from "openai";
import { zodResponseFormat, zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";
import { abandoned, pieces } from "./streams.js";

const City = z.object({ name: z.string(), people: z.number().int() });

function connected(to) {
  return new OpenAI({ apiKey: "none", maxRetries: 0, ...to });
}

export function chat({ to, asked }) {
  return connected(to).chat.completions.create(asked);
}

export async function chatPieces({ to, asked }) {
  return pieces(await connected(to).chat.completions.create({ ...asked, stream: true }));
}

export async function chatGathered({ to, asked }) {
  const stream = connected(to).chat.completions.stream(asked);
  return { text: await stream.finalContent(), whole: await stream.finalChatCompletion() };
}

export async function chatWithTools({ to, asked, results }) {
  const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
  const made = [];
  const weather = ({ city }) => results[made.push(city) - 1];
  const tool = { type: "function", function: { name: "get_weather", function: weather, parse: JSON.parse, parameters } };
  const runner = connected(to).chat.completions.runTools({ ...asked, tools: [tool] });
  return { text: await runner.finalContent(), made };
}

export async function chatParsed({ to, asked }) {
  const completions = connected(to).chat.completions;
  const request = { ...asked, response_format: zodResponseFormat(City, "city") };
  const whole = await completions.parse(request);
  const streamed = await completions.stream(request).finalChatCompletion();
  return [whole, streamed].map((completion) => completion.choices[0].message.parsed);
}

export async function chatAbandoned({ to, asked }) {
  return abandoned(await connected(to).chat.completions.create({ ...asked, stream: true }));
}

export function responses({ to, asked }) {
  return connected(to).responses.create(asked);
}

export async function responsesPieces({ to, asked }) {
  return pieces(await connected(to).responses.create({ ...asked, stream: true }));
}

export async function responsesGathered({ to, asked }) {
  const whole = await connected(to).responses.stream(asked).finalResponse();
  return { text: whole.output_text, whole };
}

export async function responsesParsed({ to, asked }) {
  const request = { ...asked, text: { format: zodTextFormat(City, "city") } };
  const whole = await connected(to).responses.parse(request);
  const streamed = await connected(to).responses.stream(request).finalResponse();
  return [whole, streamed].map((response) => response.output_parsed);
}

export async function responsesAbandoned({ to, asked }) {
  return abandoned(await connected(to).responses.create({ ...asked, stream: true }));
}

export function embeddings({ to, asked }) {
  return connected(to).embeddings.create(asked);
}

export async function models({ to }) {
  return pieces(connected(to).models.list());
}

export function model({ to, asked }) {
  return connected(to).models.retrieve(asked);
}
