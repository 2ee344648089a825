// The service worker. The site's files come from its cache (their names carry their content); pages come from the network,
// and when that fails the last one seen, marked as old. It never touches the API, server functions or the websocket, and
// forgets all pages, and all grants for locks, when somebody signs in or out. It shows pushes, and leads from them to the
// page they are about.
//
// scripts/site.mjs puts the build and the list of files in.

const ASSETS_CACHE = "portico-assets-__PORTICO_BUILD__";
const PAGES_CACHE = "portico-pages-__PORTICO_BUILD__";
const ASSETS = __PORTICO_ASSETS__;
const OFFLINE_PAGE = "/offline";
const NETWORK_PATIENCE_MS = 6000;

const SERVER_ONLY = ["/api/", "/sfn/", "/ws", "/docs", "/metrics", "/health", "/internal/", "/p/"];
const SIGN_OUT = "/sfn/identity/sign_out";
const ENDS_SESSION = [
  ...["sign_in", "sign_in_passkey", "sign_up", "accept_invitation", "set_up"].map((name) => `/sfn/identity/${name}`),
  SIGN_OUT,
];
// Of the pages, those that show nobody's data, or nothing worth keeping.
const UNKEPT_PAGES = ["/login", "/setup", "/devices/new", OFFLINE_PAGE];

const known = new Set(ASSETS);

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches.open(ASSETS_CACHE).then(async (cache) => {
      await cache.addAll(ASSETS.map((path) => new Request(path, { cache: "no-cache" })));
      const offline = await fetch(OFFLINE_PAGE, { cache: "no-cache" });
      if (!offline.ok) throw new Error(`${OFFLINE_PAGE}: ${offline.status}`);
      // Without its scripts: it stands in for other pages, whose address the app would take it for.
      const html = (await offline.text()).replace(/<script\b[\s\S]*?<\/script>/g, "");
      await cache.put(OFFLINE_PAGE, new Response(html, { headers: offline.headers }));
    }),
  );
});

self.addEventListener("activate", (event) => {
  const current = [ASSETS_CACHE, PAGES_CACHE];
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter((name) => name.startsWith("portico-") && !current.includes(name)).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener("message", (event) => {
  if (event.data === "take-over") self.skipWaiting();
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (url.origin !== location.origin) return;
  if (request.method !== "GET") {
    if (ENDS_SESSION.includes(url.pathname)) event.waitUntil(Promise.all([caches.delete(PAGES_CACHE), forgetGrants()]));
    // Whoever uses this browser next is not to see what the one who leaves is told.
    if (url.pathname === SIGN_OUT) event.waitUntil(unsubscribe());
    return;
  }
  if (SERVER_ONLY.some((prefix) => url.pathname.startsWith(prefix))) return;
  if (request.mode === "navigate") event.respondWith(page(event, url));
  else if (known.has(url.pathname)) event.respondWith(asset(request, url));
});

// A grant for a lock is one person's (public/bluetooth.js keeps them).
async function forgetGrants() {
  const opening = indexedDB.open("portico-bluetooth", 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore("grants", { keyPath: "lock" });
  await new Promise((resolve, reject) => {
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const clearing = opening.result.transaction("grants", "readwrite");
      clearing.objectStore("grants").clear();
      clearing.oncomplete = resolve;
      clearing.onabort = () => reject(clearing.error);
    };
  });
  opening.result.close();
}

async function asset(request, url) {
  const cache = await caches.open(ASSETS_CACHE);
  return (await cache.match(url.pathname)) ?? fetch(request);
}

async function page(event, url) {
  const abort = new AbortController();
  const patience = setTimeout(() => abort.abort(), NETWORK_PATIENCE_MS);
  try {
    const response = await fetch(event.request, { signal: abort.signal });
    if (isKept(response, url)) event.waitUntil(keep(url, response.clone()));
    // The server is there but cannot work: what was seen last is worth more than its error.
    if (response.status === 502 || response.status === 503 || response.status === 504) return (await lastSeen(url)) ?? response;
    return response;
  } catch {
    return (await lastSeen(url)) ?? (await caches.match(OFFLINE_PAGE)) ?? Response.error();
  } finally {
    clearTimeout(patience);
  }
}

function isKept(response, url) {
  return (
    response.ok &&
    response.type === "basic" &&
    !response.redirected &&
    !UNKEPT_PAGES.includes(url.pathname) &&
    !(response.headers.get("cache-control") ?? "").includes("no-store") &&
    (response.headers.get("content-type") ?? "").startsWith("text/html")
  );
}

async function keep(url, response) {
  const html = await response.text();
  const stamped = html.replace("<head>", `<head><meta name="portico-cached-at" content="${new Date().toISOString()}">`);
  const cache = await caches.open(PAGES_CACHE);
  await cache.put(url.pathname + url.search, new Response(stamped, { headers: response.headers }));
}

async function lastSeen(url) {
  const cache = await caches.open(PAGES_CACHE);
  return (await cache.match(url.pathname + url.search)) ?? (await cache.match(url.pathname, { ignoreSearch: true }));
}

self.addEventListener("push", (event) => {
  event.waitUntil(show(event.data));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open(event.notification.data?.link));
});

// The push service has given this browser another endpoint: the server is told, if somebody is signed in.
self.addEventListener("pushsubscriptionchange", (event) => {
  event.waitUntil(resubscribe(event));
});

// A browser takes the right to send pushes away when one of them shows nothing: whatever comes is shown.
async function show(data) {
  let message = {};
  try {
    message = data?.json() ?? {};
  } catch {
    message = { body: data?.text() };
  }
  const { title = "Portico", body = "", tag = "", link = "/", severity } = message;
  await self.registration.showNotification(title, {
    body,
    tag,
    // One that replaces another is to be noticed too.
    renotify: tag !== "",
    requireInteraction: severity === "critical",
    icon: "/icons/icon-192.png",
    data: { link },
  });
}

async function open(link) {
  // Only pages of ours.
  const target = new URL(link ?? "/", location.origin);
  const { href } = target.origin === location.origin ? target : new URL("/", location.origin);
  const windows = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const there = windows.find((client) => client.url === href);
  if (there) return there.focus();
  const [any] = windows;
  if (!any) return self.clients.openWindow(href);
  await any.focus();
  // A window that this worker does not control yet cannot be led anywhere.
  return any.navigate(href).catch(() => self.clients.openWindow(href));
}

async function unsubscribe() {
  await (await self.registration.pushManager?.getSubscription())?.unsubscribe();
}

async function resubscribe(event) {
  const options = event.oldSubscription?.options ?? { userVisibleOnly: true };
  const subscription = event.newSubscription ?? (await self.registration.pushManager.subscribe(options));
  const { endpoint, keys } = subscription.toJSON();
  await fetch("/api/v1/notifications/browsers", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ endpoint, keys }),
  });
}
