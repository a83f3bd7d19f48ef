// Short notices: they go by themselves, can be put away, and trouble on the line is said in words.
const STAY = 6000;

function leave(toast: HTMLElement): void {
  window.setTimeout(() => toast.remove(), STAY);
}

function show(text: string): void {
  const place = document.querySelector("[data-toasts]");
  if (!place || !text) return;
  const toast = document.createElement("div");
  toast.className = "toast bad";
  toast.textContent = text;
  place.append(toast);
  leave(toast);
}

export function watchToasts(): void {
  for (const toast of document.querySelectorAll<HTMLElement>("[data-toasts] .toast")) leave(toast);
  document.addEventListener("click", (event) => {
    const button = (event.target as HTMLElement).closest("[data-put-away]");
    button?.closest(".toast")?.remove();
  });
  const texts = (): DOMStringMap => document.querySelector<HTMLElement>("[data-toasts]")?.dataset ?? {};
  const quiet = (event: Event): boolean => (event.target as HTMLElement).closest("form[data-guard]") !== null;
  document.addEventListener("htmx:sendError", (event) => quiet(event) || show(texts().offline ?? ""));
  document.addEventListener("htmx:timeout", (event) => quiet(event) || show(texts().slow ?? ""));
  document.addEventListener("htmx:responseError", (event) => {
    if (quiet(event)) return;
    const status = (event as CustomEvent).detail.xhr.status;
    show((status === 401 || status === 403 ? texts().signedOut : texts().failed) ?? "");
  });
}
