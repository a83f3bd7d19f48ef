// The fast path: `/` finds, single letters go, Alt + letter acts, `?` shows all.
const OFF = "emr.letters";
let leaving = false;

function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest("input, textarea, select, [contenteditable]") !== null;
}

function visible(element: HTMLElement): boolean {
  return element.getClientRects().length > 0;
}

/** The Latin letter of the key, whatever a Vietnamese input method makes of it. */
function letter(event: KeyboardEvent): string {
  return event.code.startsWith("Key") ? event.code.slice(3).toLowerCase() : event.key.toLowerCase();
}

function press(attribute: string, key: string): boolean {
  const all = document.querySelectorAll<HTMLElement>(`[${attribute}="${CSS.escape(key)}"]`);
  for (const element of all) {
    if (!visible(element)) continue;
    if (element.matches("input, textarea, select, [tabindex]")) element.focus();
    else element.click();
    // On a slow line the old page still listens: letters meant for the next page must not lead elsewhere.
    leaving = element instanceof HTMLAnchorElement;
    window.setTimeout(() => (leaving = false), 4000);
    return true;
  }
  return false;
}

function shortcuts(): HTMLDialogElement | null {
  return document.querySelector<HTMLDialogElement>("dialog[data-shortcuts]");
}

/** The dialog lists what this page really has, so that it cannot disagree with it. */
function showAll(): void {
  const dialog = shortcuts();
  const list = dialog?.querySelector("dl.keys");
  if (!dialog || !list) return;
  for (const old of list.querySelectorAll("[data-found]")) old.remove();
  const seen = new Set<string>();
  for (const element of document.querySelectorAll<HTMLElement>("[data-key], [data-alt]")) {
    const name = element.dataset.key?.toUpperCase() ?? `Alt ${element.dataset.alt?.toUpperCase()}`;
    const text = element.dataset.says ?? element.getAttribute("aria-label") ?? element.textContent ?? "";
    if (seen.has(name) || !visible(element)) continue;
    seen.add(name);
    const term = document.createElement("dt");
    const sign = document.createElement("kbd");
    sign.textContent = name;
    term.append(sign);
    const meaning = document.createElement("dd");
    meaning.textContent = text.replace(/\s+/g, " ").trim().replace(new RegExp(` ${name}$`), "");
    term.dataset.found = meaning.dataset.found = "";
    list.append(term, meaning);
  }
  const letters = dialog.querySelector<HTMLInputElement>("[data-letters]");
  if (letters) letters.checked = localStorage.getItem(OFF) !== "off";
  dialog.showModal();
}

function onKey(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey) return;
  if (event.altKey) {
    if (press("data-alt", letter(event))) event.preventDefault();
    return;
  }
  if (event.key === "Escape" && document.activeElement instanceof HTMLInputElement) {
    document.activeElement.blur();
    return;
  }
  if (typing(event.target) || document.querySelector("dialog[open]")) return;
  if (event.key === "/") {
    const find = document.querySelector<HTMLInputElement>("[data-find]");
    if (find) {
      event.preventDefault();
      find.focus();
      find.select();
    }
    return;
  }
  if (event.key === "?") {
    event.preventDefault();
    showAll();
    return;
  }
  if (leaving || localStorage.getItem(OFF) === "off" || event.shiftKey) return;
  if (/^[a-z]$/.test(letter(event)) && press("data-key", letter(event))) event.preventDefault();
}

export function watchKeyboard(): void {
  document.addEventListener("keydown", onKey);
  window.addEventListener("pageshow", () => (leaving = false));
  document.addEventListener("click", (event) => {
    const target = event.target as HTMLElement;
    if (target.closest("[data-show-shortcuts]")) showAll();
    if (target.closest("[data-close]")) target.closest("dialog")?.close();
  });
  document.addEventListener("change", (event) => {
    const target = event.target as HTMLInputElement;
    if (target.matches("[data-letters]")) localStorage.setItem(OFF, target.checked ? "on" : "off");
  });
}
