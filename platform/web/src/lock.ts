// A PC on a ward is everybody's. After the hospital's minutes without a key or a movement the page asks the server to
// lock the session, and shows the lock. While somebody reads or types, the server is told now and then.
import { unsaved } from "./forms";

const SEEN = "emr.seen";
const LOCKED = "emr.locked";
let told = Date.now();
let locking = false;

function seen(): void {
  if (!locking) localStorage.setItem(SEEN, String(Date.now()));
}

function idle(): number {
  return Date.now() - Number(localStorage.getItem(SEEN) ?? 0);
}

function lockForm(): HTMLFormElement | null {
  return document.querySelector<HTMLFormElement>("form[data-lock]");
}

function send(form: HTMLFormElement): Promise<Response> {
  return fetch(form.action, {
    method: "POST",
    headers: { accept: "text/html" },
    body: new URLSearchParams([...new FormData(form)].map(([name, value]) => [name, String(value)])),
  });
}

/** Show the server's lock in place of the page; `kept` comes back when the same person has opened it. */
async function show(answer: Response, kept: DocumentFragment): Promise<void> {
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const panel = page.querySelector<HTMLElement>("[data-locked]");
  if (!panel) {
    window.location.reload();
    return;
  }
  document.body.replaceChildren(panel);
  const pin = panel.querySelector<HTMLInputElement>("input[name=pin]");
  pin?.focus();
  pin?.form?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const said = await send(event.target as HTMLFormElement);
    if (said.status === 422) await show(said, kept);
    else if (said.ok) {
      document.body.replaceChildren(kept);
      locking = false;
      seen();
    } else window.location.reload();
  });
}

/** What was typed and not saved is taken off the page, not thrown away. */
async function hide(): Promise<void> {
  const form = lockForm();
  if (locking || !form) return;
  locking = true;
  if (!unsaved()) {
    form.submit();
    return;
  }
  const sent = send(form);
  const kept = document.createDocumentFragment();
  kept.append(...document.body.childNodes);
  try {
    await show(await sent, kept);
  } catch {
    window.location.reload();
  }
}

function tell(address: string, every: number): void {
  if (locking || Date.now() - told < every || idle() > every) return;
  told = Date.now();
  const token = lockForm()?.querySelector("input")?.value ?? "";
  void fetch(address, { method: "POST", body: new URLSearchParams({ _csrf: token }) }).then((answer) => {
    if (answer.status === 401) void hide();
  });
}

export function watchLock(): void {
  const { lockMinutes, active } = document.body.dataset;
  if (!lockMinutes || !active || !lockForm()) return;
  const limit = Number(lockMinutes) * 60_000;
  seen();
  for (const kind of ["keydown", "pointerdown", "pointermove", "wheel", "touchstart"])
    document.addEventListener(kind, seen, { passive: true });
  document.addEventListener("submit", (event) => {
    if (event.target !== lockForm()) return;
    event.preventDefault();
    localStorage.setItem(LOCKED, String(Date.now()));
    void hide();
  });
  // What is locked in one tab is locked in all.
  window.addEventListener("storage", (event) => {
    if (event.key === LOCKED) void hide();
  });
  window.setInterval(() => {
    if (idle() < limit) tell(active, limit / 4);
    else if (!locking) {
      localStorage.setItem(LOCKED, String(Date.now()));
      void hide();
    }
  }, 5000);
}
