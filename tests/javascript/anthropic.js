// Anthropic's own SDK as a client of the gateway. `to` is where: the options of a client; `asked` is the body.
import Anthropic from "@anthropic-ai/sdk";
import { betaZodTool } from "@anthropic-ai/sdk/helpers/beta/zod";
import { zodOutputFormat } from "@anthropic-ai/sdk/helpers/zod";
import { z } from "zod";
import { abandoned, pieces } from "./streams.js";

const City = z.object({ name: z.string(), people: z.number().int() });

function connected(to) {
  return new Anthropic({ apiKey: "none", maxRetries: 0, ...to });
}

export function messages({ to, asked }) {
  return connected(to).messages.create(asked);
}

export async function messagesPieces({ to, asked }) {
  return pieces(await connected(to).messages.create({ ...asked, stream: true }));
}

export async function messagesGathered({ to, asked }) {
  const stream = connected(to).messages.stream(asked);
  return { text: await stream.finalText().catch(() => ""), whole: await stream.finalMessage() };
}

export async function messagesWithTools({ to, asked, results, stream }) {
  const made = [];
  const run = ({ city }) => results[made.push(city) - 1];
  const tool = betaZodTool({ name: "get_weather", description: "Weather now", inputSchema: z.object({ city: z.string() }), run });
  const final = await connected(to).beta.messages.toolRunner({ ...asked, tools: [tool], stream }).runUntilDone();
  return { text: final.content.map((block) => block.text ?? "").join(""), made };
}

export async function messagesParsed({ to, asked }) {
  const request = { ...asked, output_config: { format: zodOutputFormat(City) } };
  const whole = await connected(to).messages.parse(request);
  const streamed = await connected(to).messages.stream(request).finalMessage();
  return [whole, streamed].map((message) => message.parsed_output);
}

export async function messagesAbandoned({ to, asked }) {
  return abandoned(await connected(to).messages.create({ ...asked, stream: true }));
}

export function counted({ to, asked }) {
  return connected(to).messages.countTokens(asked);
}

export async function models({ to }) {
  return pieces(connected(to).models.list());
}
