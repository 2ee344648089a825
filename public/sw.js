// The service worker. The site's files come from its cache (their names carry their content); pages come from the network,
// and when that fails the last one seen, marked as old. It never touches the API, server functions or the websocket, and
// forgets all pages when somebody signs in or out.
//
// scripts/site.mjs puts the build and the list of files in.

const ASSETS_CACHE = "portico-assets-__PORTICO_BUILD__";
const PAGES_CACHE = "portico-pages-__PORTICO_BUILD__";
const ASSETS = __PORTICO_ASSETS__;
const OFFLINE_PAGE = "/offline";
const NETWORK_PATIENCE_MS = 6000;

const SERVER_ONLY = ["/api/", "/sfn/", "/ws", "/docs", "/metrics", "/health", "/internal/"];
const ENDS_SESSION = ["/sfn/identity/sign_in", "/sfn/identity/sign_out", "/sfn/identity/set_up"];
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
    if (ENDS_SESSION.includes(url.pathname)) event.waitUntil(caches.delete(PAGES_CACHE));
    return;
  }
  if (SERVER_ONLY.some((prefix) => url.pathname.startsWith(prefix))) return;
  if (request.mode === "navigate") event.respondWith(page(event, url));
  else if (known.has(url.pathname)) event.respondWith(asset(request, url));
});

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
