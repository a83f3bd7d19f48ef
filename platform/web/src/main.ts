// Everything that runs in the browser. Each island looks for its own data-attribute and leaves the rest of the page alone.
import htmx from "htmx.org";
import { watchForms } from "./forms";
import { watchKeyboard } from "./keyboard";
import { watchLists } from "./lists";
import { watchLock } from "./lock";
import { watchToasts } from "./toasts";
import { watchViewers } from "./viewer";

// No eval (our Content-Security-Policy has none), and no page snapshots: they would keep patients on a shared PC.
htmx.config.allowEval = false;
htmx.config.allowScriptTags = false;
htmx.config.historyCacheSize = 0;
htmx.config.refreshOnHistoryMiss = true;
htmx.config.includeIndicatorStyles = false;
htmx.config.selfRequestsOnly = true;
htmx.config.timeout = 20000;
htmx.config.responseHandling = [
  { code: "204", swap: false },
  { code: "[23]..", swap: true },
  { code: "4(13|15|22)", swap: true },
  { code: "[45]..", swap: false, error: true },
];

watchKeyboard();
watchLists();
watchForms();
watchToasts();
watchLock();
watchViewers();
