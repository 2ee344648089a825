// Installs the service worker, offers an update when one is waiting, and marks a page that came from its cache as old.
// What it adds goes to the end of the body, after everything that the app takes over.

const bar = (className, text) => {
  const element = document.createElement("p");
  element.className = className;
  element.setAttribute("role", "status");
  const span = document.createElement("span");
  span.textContent = text;
  element.append(span);
  document.body.append(element);
  return element;
};

// While the page is being left, nothing of it may get in the way of where its reader wants to go.
const LEAVING_MS = 10_000;
let leaving = false;
addEventListener("beforeunload", () => {
  leaving = true;
  // Whoever stays after all is served again.
  setTimeout(() => (leaving = false), LEAVING_MS);
});
addEventListener("pageshow", () => (leaving = false));

const CHECK_MS = 5_000;

// The browser's word that it is online is a hint: it comes for a moment when a worker of this site is restarted, with a
// network through which the server cannot be reached, or not at all when the server was away and the network was not. So
// the server itself is asked.
const renewWhenReachable = () => {
  const check = async () => {
    const answer = await fetch("/health/ready", { cache: "no-store" }).catch(() => null);
    if (answer?.ok && !leaving) location.reload();
  };
  addEventListener("online", check);
  setInterval(() => document.hidden || check(), CHECK_MS);
};

const markAsOld = () => {
  const cachedAt = document.querySelector('meta[name="portico-cached-at"]')?.content;
  if (!cachedAt) return;
  const when = new Date(cachedAt).toLocaleString(navigator.language, { dateStyle: "medium", timeStyle: "short" });
  const element = bar("update-bar stale-page", `Last known state, from ${when}. Portico cannot be reached.`);
  const again = document.createElement("button");
  again.type = "button";
  again.className = "button";
  again.textContent = "Try again";
  again.addEventListener("click", () => location.reload());
  element.append(again);
  renewWhenReachable();
};

const offerUpdate = (waiting) => {
  if (document.querySelector(".update-offer")) return;
  const element = bar("update-bar update-offer", "A new version of Portico is ready.");
  const reload = document.createElement("button");
  reload.type = "button";
  reload.className = "button button-primary";
  reload.textContent = "Reload";
  reload.addEventListener("click", () => {
    navigator.serviceWorker.addEventListener("controllerchange", () => location.reload(), { once: true });
    waiting.postMessage("take-over");
  });
  element.append(reload);
};

const register = async () => {
  const registration = await navigator.serviceWorker.register("/sw.js");
  // A first installation is no update: there is nothing older to replace.
  const offer = () => registration.waiting && navigator.serviceWorker.controller && offerUpdate(registration.waiting);
  offer();
  registration.addEventListener("updatefound", () => registration.installing?.addEventListener("statechange", offer));
};

addEventListener("load", () => {
  markAsOld();
  if ("serviceWorker" in navigator) register().catch(() => {});
});
