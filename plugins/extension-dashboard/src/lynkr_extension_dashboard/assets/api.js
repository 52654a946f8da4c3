// Asking the gateway. A key is kept for this tab only, and sent in a header, never in an address.
const SLOT = "lynkr-key";
const LIVE_WAIT = 2;
const PAUSE = 400;
const MOST_ROWS = 500;

export const keys = {
  get: () => sessionStorage.getItem(SLOT) || "",
  set: (key) => (key ? sessionStorage.setItem(SLOT, key) : sessionStorage.removeItem(SLOT)),
};

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export async function ask(path, signal) {
  const key = keys.get();
  const answer = await fetch(path, { headers: key ? { "x-api-key": key } : {}, signal, cache: "no-store", credentials: "omit" });
  if (answer.ok) return answer.json();
  const told = await answer.json().catch(() => ({}));
  throw new Refused(answer.status, (told.error && told.error.message) || `status ${answer.status}`);
}

/** Follows the feed until it is stopped: `on(live, rows)` for news, `fail(error)` when it cannot be asked. Rests while nobody looks, and
 * asks no more with a key that was refused: gateways count that. */
export function follow(on, fail) {
  let cursor = "";
  let rows = [];
  let timer;
  const stop = new AbortController();

  async function look() {
    if (stop.signal.aborted) return;
    if (document.hidden) return void (timer = setTimeout(look, PAUSE));
    let wait = PAUSE;
    try {
      const live = await ask(`v1/admin/live?after=${encodeURIComponent(cursor)}&wait=${cursor ? LIVE_WAIT : 0}&limit=${MOST_ROWS}`, stop.signal);
      rows = (live.anew ? live.finished : merged(rows, live.finished)).slice(-MOST_ROWS);
      cursor = live.cursor;
      on(live, rows);
    } catch (error) {
      if (stop.signal.aborted) return;
      wait = 2500;
      if (error.status === 400) cursor = "";
      fail(error);
      if (error.status === 401 || error.status === 403) return;
    }
    if (!stop.signal.aborted) timer = setTimeout(look, wait);
  }
  look();
  return () => (clearTimeout(timer), stop.abort());
}

function merged(rows, more) {
  const ids = new Set(more.map((row) => row.id));
  return more.length ? [...rows.filter((row) => !ids.has(row.id)), ...more] : rows;
}
