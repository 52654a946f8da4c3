// One floating note for everything that has `data-tip`: under the pointer, or at the focus. Escape closes it.
const note = document.createElement("div");
note.className = "note";
note.setAttribute("role", "tooltip");
note.hidden = true;

const owner = (event) => event.target.closest?.("[data-tip]");
const hide = () => (note.hidden = true);

function show(element) {
  const text = element && element.dataset.tip;
  if (!text) return hide();
  note.textContent = text;
  note.hidden = false;
  const box = element.getBoundingClientRect();
  const left = Math.max(8, Math.min(box.left, innerWidth - note.offsetWidth - 8));
  const below = box.bottom + 6 + note.offsetHeight < innerHeight;
  note.style.left = `${left}px`;
  note.style.top = `${below ? box.bottom + 6 : Math.max(box.top - note.offsetHeight - 6, 4)}px`;
}

export function explain() {
  document.body.append(note);
  const over = (event) => show(owner(event));
  const key = (event) => event.key === "Escape" && hide();
  const events = [["mouseover", over], ["focusin", over], ["focusout", hide], ["keydown", key], ["scroll", hide]];
  for (const [name, on] of events) addEventListener(name, on, true);
  return () => events.forEach(([name, on]) => removeEventListener(name, on, true));
}
