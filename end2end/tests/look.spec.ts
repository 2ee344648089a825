// Every page at a phone's and a desktop's width, in light and dark: no accessibility violation, nothing wider than the
// screen, and a screenshot in screenshots/ to look at. Each page once on a phone in the dark and once on a desktop in the
// light; with PORTICO_EVERY_LOOK set, each width in both schemes. Parking's pages are looked at by their own specs, which
// have the lots to show.

import type { Page } from "@playwright/test";
import { dayOfValues, registerByApi, send, type Registered } from "../support/devices";
import { expectClean, expectFits } from "../support/look";
import { expect, expectLive, test } from "../support/test";

const SCREENS = [
  { name: "phone", viewport: { width: 390, height: 844 }, usual: "dark" },
  { name: "desktop", viewport: { width: 1280, height: 800 }, usual: "light" },
] as const;
const SCHEMES = ["light", "dark"] as const;

/** In which each page is shown: an empty variable is as good as none. */
const LOOKS = SCREENS.flatMap(({ name, viewport, usual }) =>
  SCHEMES.filter((scheme) => process.env.PORTICO_EVERY_LOOK || scheme === usual).map((colorScheme) => ({ screen: name, viewport, colorScheme })),
);

interface Shot {
  name: string;
  path: (devices: Registered[]) => string;
  signedIn?: boolean;
  prepare?: (page: Page) => Promise<void>;
}

/** A group with some of the devices. */
let group = "";

/** The first row of a list, as a page. */
async function openFirst(page: Page): Promise<void> {
  await page.locator("tbody .row-link").first().click();
  await expect(page.locator(".crumbs")).toBeVisible();
  await page.waitForLoadState("networkidle");
}

const SHOTS: Shot[] = [
  { name: "login", path: () => "/login", signedIn: false },
  { name: "overview", path: () => "/" },
  { name: "devices", path: () => "/devices" },
  { name: "devices-none-match", path: () => "/devices?search=nothing-like-this" },
  { name: "register", path: () => "/devices/new" },
  {
    name: "device",
    path: ([device]) => `/devices/${device.id}?key=temperature&range=24h`,
    prepare: (page) => expect(page.locator(".chart canvas")).toBeVisible(),
  },
  { name: "device-edit", path: ([device]) => `/devices/${device.id}`, prepare: (page) => page.getByText("Edit", { exact: true }).click() },
  { name: "device-new", path: (devices) => `/devices/${devices.at(-1)!.id}` },
  { name: "groups", path: () => "/groups" },
  {
    name: "group",
    path: () => `/groups/${group}?key=temperature&range=24h`,
    prepare: (page) => expect(page.locator(".compare canvas")).toBeVisible(),
  },
  { name: "group-add", path: () => `/groups/${group}?find=a` },
  { name: "explore-empty", path: () => "/explore" },
  {
    name: "explore",
    path: ([one, two, three]) => `/explore?s=${one.id}:temperature&s=${two.id}:humidity&s=${three.id}:co2&range=24h`,
    prepare: (page) => expect(page.locator(".compare canvas")).toBeVisible(),
  },
  {
    name: "search",
    path: () => "/account",
    prepare: async (page) => {
      await page.getByRole("combobox", { name: "Search" }).fill("ro");
      await expect(page.getByRole("option").first()).toBeVisible();
    },
  },
  { name: "alarms", path: () => "/alarms?state=all" },
  { name: "alarm", path: () => "/alarms?state=all", prepare: openFirst },
  { name: "alarm-rules", path: () => "/alarms/rules" },
  { name: "alarm-rule", path: () => "/alarms/rules", prepare: openFirst },
  { name: "alarm-rule-new", path: () => "/alarms/rules/new?kind=rate" },
  { name: "firmware", path: () => "/firmware" },
  { name: "users", path: () => "/users" },
  { name: "account", path: () => "/account" },
  { name: "notifications", path: () => "/notifications" },
  { name: "webhooks", path: () => "/notifications/webhooks" },
  {
    name: "webhook-new",
    path: () => "/notifications/webhooks",
    prepare: async (page) => {
      await page.getByText("Add webhook", { exact: true }).first().click();
      await expect(page.locator("#create-webhook")).toBeVisible();
    },
  },
  { name: "messages", path: () => "/notifications/messages" },
  { name: "audit", path: () => "/audit" },
  { name: "not-found", path: () => "/no/such/page" },
];

const BUILDING = [
  ["Lobby thermometer", "thermometer", "Ground floor, lobby"],
  ["Server room", "thermometer", "Basement 1, room 014"],
  ["Meeting room Aurora", "air_quality", "2nd floor, north"],
  ["Canteen", "air_quality", "Ground floor, east"],
  ["Roof weather station with a rather long name", "weather_station", "Roof, south-west corner"],
  ["Not yet installed", "thermometer", ""],
];

test.describe("pages", () => {
  const devices: Registered[] = [];

  test.beforeAll(async ({ house, playwright }) => {
    const { url } = house.portico;
    const admin = await playwright.request.newContext({ storageState: house.state });
    for (const [name, device_type, location] of BUILDING)
      devices.push(await registerByApi(admin, url, { name, device_type, location, heartbeat_interval_s: 600 }));
    for (const device of devices.slice(0, -1)) await send(admin, url, device, dayOfValues());
    const headers = { Origin: url };
    const made = async (path: string, data: unknown) => (await admin.post(url + path, { data, headers })).json();
    group = (await made("/api/v1/groups", { name: "Ground floor", description: "Everything people pass on their way in", color: "#00796B" })).group.id;
    await made("/api/v1/groups", { name: "A group with a rather long name that has to wrap on a phone" });
    await made(`/api/v1/groups/${group}/devices/bulk`, { device_ids: devices.slice(0, 5).map(({ id }) => id) });
    const definition = { series: [{ device_id: devices[0].id, key: "temperature" }], range: "24h", aggregation: "mean", window: "auto" };
    await made("/api/v1/views", { name: "Lobby day", shared: true, definition });
    const limits = [
      ["Too warm", "above", 23, "critical"],
      ["Too cold", "below", 5, "warning"],
    ] as const;
    for (const [name, side, limit, severity] of limits) {
      const condition = { kind: "threshold", key: "temperature", side, limit, hysteresis: 0.5 };
      const rule = { name, condition, severity, scope: { kind: "type", device_type: "thermometer" }, escalate_after_s: 900 };
      const made = await admin.post(`${url}/api/v1/alarm-rules`, { data: rule, headers: { Origin: url } });
      expect(made.status(), await made.text()).toBe(201);
    }
    await send(admin, url, devices[1], { data: { temperature: 27.5 } });
    await admin.dispose();
  });

  for (const { screen, viewport, colorScheme } of LOOKS)
    for (const shot of SHOTS)
      test(`${shot.name}, ${screen}, ${colorScheme}`, async ({ openContext, house, complaints }) => {
        complaints.expected.push(/status of 404/);
        const context = await openContext({
          baseURL: house.portico.url,
          storageState: shot.signedIn === false ? undefined : house.state,
          viewport,
          colorScheme,
          reducedMotion: "reduce",
        });
        const page = await context.newPage();
        await page.goto(shot.path(devices));
        await page.waitForLoadState("networkidle");
        if (await page.locator(".live-light").count()) await expectLive(page);
        await shot.prepare?.(page);

        await page.screenshot({ path: `screenshots/${shot.name}-${screen}-${colorScheme}.png`, fullPage: true });
        await expectFits(page);
        await expectClean(page);
      });
});
