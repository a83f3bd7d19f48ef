// The image viewer: wheel and arrow keys change the frame; only the latest wish is fetched, its neighbours are fetched ahead.
function watch(viewer: HTMLElement): void {
  const image = viewer.querySelector("img");
  const pattern = image?.dataset.frameUrl;
  const label = viewer.querySelector<HTMLElement>("[data-frame-label]");
  const count = Number(viewer.dataset.frames ?? "1");
  if (!image || !pattern || count < 1) return;
  let at = Number(viewer.dataset.frame ?? "1");
  let loading = false;
  const url = (frame: number): string => pattern.replace("{frame}", String(frame));

  const draw = (): void => {
    if (label) label.textContent = `${at} / ${count}`;
    if (loading) return;
    loading = true;
    const wanted = at;
    const next = new Image();
    next.onload = () => {
      loading = false;
      image.src = next.src;
      if (at !== wanted) draw();
      else for (const near of [at + 1, at - 1]) if (near >= 1 && near <= count) new Image().src = url(near);
    };
    next.onerror = () => {
      loading = false;
      if (at !== wanted) draw();
    };
    next.src = url(wanted);
  };
  const go = (frame: number): void => {
    const to = Math.max(1, Math.min(count, frame));
    if (to === at) return;
    at = to;
    draw();
  };

  viewer.addEventListener(
    "wheel",
    (event) => {
      if (count < 2 || event.ctrlKey) return;
      event.preventDefault();
      go(at + Math.sign(event.deltaY));
    },
    { passive: false },
  );
  viewer.addEventListener("keydown", (event) => {
    const steps: Record<string, number> = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, PageDown: 10, PageUp: -10 };
    const to = event.key === "Home" ? 1 : event.key === "End" ? count : at + (steps[event.key] ?? 0);
    if (to === at) return;
    event.preventDefault();
    go(to);
  });
  if (label) label.textContent = `${at} / ${count}`;
}

export function watchViewers(): void {
  for (const viewer of document.querySelectorAll<HTMLElement>("[data-viewer]")) watch(viewer);
}
