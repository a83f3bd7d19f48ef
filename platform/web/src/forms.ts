// Forms on a weak line: nothing typed is lost by leaving, by a dropped connection or by an expired session.
const WAITS = [1, 3, 8, 15, 30];
const tries = new WeakMap<HTMLFormElement, number>();
const dirty = new Set<HTMLFormElement>();

function guarded(target: EventTarget | null): HTMLFormElement | null {
  return target instanceof Element ? target.closest<HTMLFormElement>("form[data-guard]") : null;
}

/** The form itself, when it is the one that sends: a search inside it is not its sending. */
function sender(target: EventTarget | null): HTMLFormElement | null {
  return target instanceof HTMLFormElement && target.matches("form[data-guard]") ? target : null;
}

function say(form: HTMLFormElement, name: string, count = 0): void {
  const place = form.querySelector<HTMLElement>("[data-state]");
  if (place) place.textContent = (place.dataset[name] ?? "").replace("{n}", String(count));
}

function again(form: HTMLFormElement): void {
  const count = tries.get(form) ?? 0;
  const wait = WAITS[count];
  if (wait === undefined) {
    say(form, "failed");
    return;
  }
  tries.set(form, count + 1);
  say(form, "retry", count + 1);
  // The form carries its Idempotency-Key, so a repeat of what did arrive is answered and not stored twice.
  window.setTimeout(() => form.isConnected && form.requestSubmit(), wait * 1000);
}

/** Whether something was typed on this page that is not stored. */
export function unsaved(): boolean {
  return [...dirty].some((form) => form.isConnected);
}

export function watchForms(): void {
  document.addEventListener("input", (event) => {
    const form = guarded(event.target);
    if (!form) return;
    dirty.add(form);
    say(form, "dirty");
  });
  document.addEventListener("htmx:beforeRequest", (event) => {
    const form = sender(event.target);
    if (form) say(form, "sending");
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    const form = sender(event.target);
    const { successful, xhr } = (event as CustomEvent).detail;
    if (!form || !xhr) return;
    if (successful) dirty.delete(form);
    else if (xhr.status === 401 || xhr.status === 403) say(form, "signedOut");
    else if (xhr.status >= 400 && xhr.status < 500 && xhr.status !== 422) say(form, "failed");
    else if (xhr.status === 503 || xhr.status === 0) again(form);
  });
  // A refusal that is no form of ours must never replace what was typed.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { requestConfig, xhr } = (event as CustomEvent).detail;
    const form = sender(requestConfig?.elt ?? null);
    if (!form || xhr.status !== 422 || xhr.responseText.includes("data-guard")) return;
    (event as CustomEvent).detail.shouldSwap = false;
    say(form, "failed");
  });
  document.addEventListener("submit", (event) => {
    const form = guarded(event.target);
    if (form && !form.hasAttribute("hx-post")) dirty.delete(form);
  });
  window.addEventListener("beforeunload", (event) => {
    for (const form of dirty) if (!form.isConnected) dirty.delete(form);
    if (dirty.size > 0) event.preventDefault();
  });
  // An error summary that arrives takes the focus, so that it is read out and its links are next.
  const focusErrors = (): void => document.querySelector<HTMLElement>("[data-errors]")?.focus();
  document.addEventListener("htmx:afterSettle", focusErrors);
  focusErrors();
}
