// Calls functions of a module for a process that speaks no JavaScript.
//
// `node calls.js ./MODULE.js` reads a call from each line of its input, `{"name", "given"}`, and answers each with a line,
// `{"value"}` or `{"error"}`, in their order. Values are JSON, so what a client's class adds to an answer is left out.
import { createInterface } from "node:readline";

const functions = await import(process.argv[2]);

async function answer(line) {
  const { name, given } = JSON.parse(line);
  try {
    return { value: (await functions[name](given)) ?? null };
  } catch (error) {
    return { error: told(error) };
  }
}

function told(error) {
  const headers = error.headers instanceof Headers ? error.headers : (error.responseHeaders ?? {});
  return {
    class: error.constructor.name,
    message: String(error.message),
    status: error.status ?? error.statusCode ?? null,
    type: error.type ?? null,
    code: error.code ?? null,
    retryable: error.isRetryable ?? null,
    headers: Object.fromEntries(headers instanceof Headers ? headers : Object.entries(headers)),
    body: error.error ?? error.data ?? null,
  };
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(JSON.stringify(await answer(line)) + "\n");
}

process.exit(); // a module may still be serving
