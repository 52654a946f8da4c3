// Vercel's AI SDK as a client of the gateway. `api` is which provider package it uses, and which of its APIs.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogle } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { embedMany, generateText, isStepCount, Output, streamText, tool } from "ai";
import { z } from "zod";

const City = z.object({ name: z.string(), people: z.number().int() });
const APIS = {
  chat: (to, model) => createOpenAI(to).chat(model),
  responses: (to, model) => createOpenAI(to).responses(model),
  messages: (to, model) => createAnthropic(to)(model),
  gemini: (to, model) => createGoogle(to)(model),
};

globalThis.AI_SDK_LOG_WARNINGS = false;

function asking({ api, to, model, asked }) {
  return { model: APIS[api]({ apiKey: "none", ...to }, model), maxRetries: 0, onError() {}, ...asked };
}

function told({ text, reasoningText, finishReason, usage, toolCalls }) {
  const calls = toolCalls.map(({ toolCallId, toolName, input }) => ({ id: toolCallId, name: toolName, input }));
  return { text, reasoning: reasoningText ?? "", finish: finishReason, usage, calls };
}

export async function generated(given) {
  return told(await generateText(asking(given)));
}

export async function streamed(given) {
  const result = streamText(asking(given));
  const parts = [];
  for await (const part of result.stream) {
    if (part.type === "error") {
      throw part.error;
    }
    parts.push(part.type);
  }
  const [text, reasoningText, finishReason, usage, toolCalls] = await Promise.all([
    result.text,
    result.reasoningText,
    result.finishReason,
    result.usage,
    result.toolCalls,
  ]);
  return { ...told({ text, reasoningText, finishReason, usage, toolCalls }), parts };
}

export async function withTools(given) {
  const made = [];
  const execute = ({ city }) => given.results[made.push(city) - 1];
  const weather = tool({ description: "Weather now", inputSchema: z.object({ city: z.string() }), execute });
  const more = { tools: { get_weather: weather }, stopWhen: isStepCount(3) };
  const result = await (given.stream ? streamText : generateText)({ ...asking(given), ...more });
  return { text: await result.text, steps: (await result.steps).length, made };
}

export async function parsed(given) {
  const more = { output: Output.object({ schema: City, name: "city" }) };
  const whole = await generateText({ ...asking(given), ...more });
  return [whole.output, await streamText({ ...asking(given), ...more }).output];
}

export async function abandoned(given) {
  const left = new AbortController();
  const result = streamText({ ...asking(given), abortSignal: left.signal });
  for await (const piece of result.textStream) {
    left.abort();
    return piece;
  }
}

export async function embedded({ to, model, asked }) {
  const { embeddings, usage } = await embedMany({ model: createOpenAI({ apiKey: "none", ...to }).embeddingModel(model), ...asked });
  return { embeddings, usage };
}
