// Arrow keys in lists: from a search field into its results, and from one result to the next.
function links(list: Element): HTMLElement[] {
  return [...list.querySelectorAll<HTMLElement>("a[href], input[type=radio]")].filter((link) => link.getClientRects().length > 0);
}

function resultsOf(field: HTMLElement): Element | null {
  const id = field.getAttribute("aria-controls");
  return id ? document.getElementById(id) : null;
}

function fromField(event: KeyboardEvent, field: HTMLInputElement): void {
  const results = resultsOf(field);
  if (!results) return;
  const found = links(results);
  if (event.key === "ArrowDown" && found[0]) {
    event.preventDefault();
    found[0].focus();
  }
  // Enter opens only what is unmistakable: the one result for exactly what was typed. Otherwise it steps into the list.
  if (event.key === "Enter" && found[0] && results.querySelector("[data-query]")?.getAttribute("data-query") === field.value) {
    event.preventDefault();
    if (found.length === 1 && found[0] instanceof HTMLAnchorElement) found[0].click();
    else found[0].focus();
  }
}

function within(event: KeyboardEvent, list: Element, current: HTMLElement): void {
  const all = links(list);
  const at = all.indexOf(current);
  if (at < 0) return;
  const steps: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 };
  const to = steps[event.key];
  if (to === undefined || current instanceof HTMLInputElement) return;
  event.preventDefault();
  if (to < 0) document.querySelector<HTMLElement>(`[aria-controls="${list.id || list.closest("[id]")?.id}"]`)?.focus();
  else all[Math.min(to, all.length - 1)]?.focus();
}

export function watchLists(): void {
  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.altKey || event.ctrlKey || event.metaKey) return;
    const target = event.target as HTMLElement;
    if (target instanceof HTMLInputElement && target.hasAttribute("aria-controls")) fromField(event, target);
    const list = target.closest("[data-list]");
    if (list) within(event, list, target);
  });
}
