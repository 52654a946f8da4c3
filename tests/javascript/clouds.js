// aimock, a mock of the clouds, whose answers the tests write themselves: the user's text is the answer as JSON, in the form of its
// fixtures (`content`, `reasoning`, `toolCalls`, `usage`, `finishReason`, or `error` with `status`).
import { LLMock } from "@copilotkit/aimock";

const PIECE = 8; // characters of each piece of a stream
const mock = new LLMock({ port: 0, chunkSize: PIECE, logLevel: "silent" });
const FAULTS = {
  "cut": { truncateAfterChunks: 4, latency: 5 },
  "dropped": { chaos: { dropRate: 1 } },
  "garbled": { chaos: { malformedRate: 1 } },
  "refused": { chaos: { rateLimitRate: 1 } },
  "hung up": { chaos: { disconnectRate: 1 } },
};

function text(message) {
  const { content } = message;
  return typeof content === "string" ? content : (content ?? []).map((part) => part.text ?? "").join("");
}

// Gemini takes results as objects, by custom with one key.
function result(text) {
  return text.startsWith('{"output":') ? JSON.parse(text).output : text;
}

function answer({ messages, ...rest }) {
  const last = messages.at(-1);
  if (last.role === "tool") {
    const said = messages.slice(messages.findLastIndex(({ role }) => role !== "tool") + 1).map(text).map(result);
    return { content: `Tool said: ${said.join(" and ")}` };
  }
  const wanted = JSON.parse(text(last));
  return wanted.understood ? { content: JSON.stringify({ messages, ...rest }) } : wanted;
}

for (const [word, options] of Object.entries(FAULTS)) {
  mock.on({ userMessage: `"fault":"${word}"` }, answer, options);
}
mock.on({ endpoint: "chat" }, answer);

export async function start() {
  await mock.start();
  return mock.url;
}

export function sent() {
  const { path, headers, body } = mock.getLastRequest();
  return { path, headers, body };
}
